/** The scripts of `ashlar completion`: each hands the words of the line to `ashlar __complete`, which prints what fits. @module */

const bash = `# Completion of ashlar for bash: source <(ashlar completion bash)
_ashlar() {
  local line=\${COMP_LINE:0:COMP_POINT} words current='' candidate
  IFS=$' \\t' read -r -a words <<< "$line"
  case $line in *[[:blank:]]) ;; *) current=\${words[-1]}; unset 'words[-1]' ;; esac
  COMPREPLY=()
  while IFS= read -r candidate; do
    COMPREPLY+=("$(printf '%q' "$candidate")")
  done < <("\${words[0]}" __complete -- "\${words[@]:1}" "$current" 2>/dev/null)
  case \${#COMPREPLY[@]}:\${COMPREPLY[0]-} in 1:*/) compopt -o nospace ;; esac
}
complete -o nosort -F _ashlar ashlar
`

const zsh = `#compdef ashlar
# Completion of ashlar for zsh: source <(ashlar completion zsh)
_ashlar() {
  local -a found folders files
  found=("\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  folders=(\${(M)found:#*/})
  files=(\${found:#*/})
  (( \${#folders} )) && compadd -S '' -- $folders
  (( \${#files} )) && compadd -- $files
}
if [ "\${funcstack[1]}" = _ashlar ]; then _ashlar "$@"; else compdef _ashlar ashlar; fi
`

const fish = `# Completion of ashlar for fish: ashlar completion fish > ~/.config/fish/completions/ashlar.fish
function __ashlar_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete -- $words[2..-1] 2>/dev/null
end
complete -c ashlar -f -a '(__ashlar_complete)'
`

export const completionScripts: Readonly<Record<string, string>> = { bash, zsh, fish }
