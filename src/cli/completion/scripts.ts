/**
 * The scripts of `ashlar completion`: each hands the words of the line, without their quotes, to `ashlar __complete`, which
 * prints what fits, and puts the quotes back.
 * @module
 */

/** Readline hands over words that it broke at `:` and `=` too, quotes and all: so the line is taken apart here. */
const bash = `# Completion of ashlar for bash: source <(ashlar completion bash)
_ashlar() {
  local line=\${COMP_LINE:0:COMP_POINT} words=() word='' quote='' raw='' at char candidate
  for ((at = 0; at < \${#line}; at++)); do
    char=\${line:at:1}
    if [[ -z $quote && $char == [[:blank:]] ]]; then
      [[ -n $raw ]] && words+=("$word")
      word='' raw=''
      continue
    fi
    raw+=$char
    if [[ $char == "$quote" ]]; then quote=''
    elif [[ $char == '\\' && $quote != "'" ]]; then ((at++)); word+=\${line:at:1}; raw+=\${line:at:1}
    elif [[ -z $quote && $char == [\\'\\"] ]]; then quote=$char
    else word+=$char
    fi
  done
  local kept=\${raw%"\${raw##*[:=]}"}
  COMPREPLY=()
  while IFS= read -r candidate; do
    [[ -z $quote ]] && candidate=$(printf '%q' "$candidate")
    COMPREPLY+=("\${candidate#"$kept"}")
  done < <("\${words[0]}" __complete -- "\${words[@]:1}" "$word" 2>/dev/null)
  case \${#COMPREPLY[@]}:\${COMPREPLY[0]-} in 1:*/) compopt -o nospace ;; esac
}
complete -o nosort -F _ashlar ashlar
`

const zsh = `#compdef ashlar
# Completion of ashlar for zsh: source <(ashlar completion zsh)
_ashlar() {
  local -a found folders files
  found=("\${(@f)$("\${(Q)words[1]}" __complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  folders=(\${(M)found:#*/})
  files=(\${found:#*/})
  (( \${#folders} )) && compadd -S '' -- $folders
  (( \${#files} )) && compadd -- $files
}
if [ "\${funcstack[1]}" = _ashlar ]; then _ashlar "$@"; else compdef _ashlar ashlar; fi
`

const fish = `# Completion of ashlar for fish: ashlar completion fish > ~/.config/fish/completions/ashlar.fish
function __ashlar_complete
    set -l words (commandline -opc)
    set -l raw (commandline -ct)
    set -l current (string unescape -- "$raw"); or set current $raw
    $words[1] __complete -- $words[2..-1] "$current" 2>/dev/null
end
complete -c ashlar -f -a '(__ashlar_complete)'
`

export const completionScripts: Readonly<Record<string, string>> = { bash, zsh, fish }
