/**
 * The exit code of a process whose event loop ran empty before its work had ended: it waited for what never comes. Node says it of a main
 * module that awaits at its top; in the package the programs are no modules, and would say 0.
 * @module
 */
export const unfinished = 13
