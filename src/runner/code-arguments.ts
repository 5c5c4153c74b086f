/**
 * Refuses command lines in which the value of a parameter would be read as code, or as several words: whoever sets such a
 * value could run anything. In doubt a command line is refused.
 */
import { basename } from 'node:path'
import { placeholdersIn } from './command-line.ts'

/** Programs that run text given after a flag. Their names may end with a version. */
const INTERPRETERS =
  /^(?:sh|bash|dash|ash|zsh|ksh|fish|csh|tcsh|busybox|node|nodejs|bun|deno|tsx|ts-node|python|pypy|perl|ruby|php|lua|luajit|tclsh|osascript|pwsh|powershell|Rscript|R|julia|elixir|groovy|su|runuser|script|flock)[\d.]*$/
/** Programs of which the first argument that is no flag is code. */
const FILTERS = /^(?:awk|gawk|mawk|nawk|sed|gsed|jq)$/
/** Programs that make one command of all their arguments. */
const JOINING = /^(?:ssh|watch|parallel|eval)$/

/** Flags that the code follows. */
const CODE_FLAG =
  /^(?:-[A-Za-z]*[cepErR]|--?(?:eval|print|command|import|require|loader|experimental-loader)|eval)$/i
/** Flags that may have the code in the same argument. */
const CODE_IN_FLAG = /^(?:-[A-Za-z]|--?(?:eval|print|command|import|require|loader|experimental-loader)=)/i
/** `env -S` splits one argument into words. */
const SPLIT_FLAG = /^(?:-[A-Za-z]*S|--split-string)/

/** What is wrong with a command line in which a caller's value would be read as code; null otherwise. */
export function faultOfCode(program: string, args: readonly string[]): string | null {
  const words = [program, ...args]
  const split = splitByEnv(words)
  if (split)
    return 'the value of a parameter would be split into words by env -S; write each word as an argument of its own'
  const at = words.findIndex((word) => isRunner(basename(word)))
  if (at === -1) return null
  const name = basename(words[at]!)
  if (!isCode(name, words.slice(at + 1))) return null
  return `the value of a parameter would be run as code of ${name}; give it as an argument of its own after the code`
}

function isRunner(name: string): boolean {
  return INTERPRETERS.test(name) || FILTERS.test(name) || JOINING.test(name)
}

function hasPlaceholder(word: string | undefined): boolean {
  return word !== undefined && placeholdersIn(word).length > 0
}

function splitByEnv(words: readonly string[]): boolean {
  const env = words.findIndex((word) => basename(word) === 'env')
  if (env === -1) return false
  return words.some(
    (word, at) =>
      at > env && SPLIT_FLAG.test(word) && (hasPlaceholder(word) || hasPlaceholder(words[at + 1])),
  )
}

/** @param args after the name of the program */
function isCode(name: string, args: readonly string[]): boolean {
  if (JOINING.test(name)) return args.some(hasPlaceholder)
  // Flags may have values, so that the first words of a filter may be any of these
  if (FILTERS.test(name)) {
    const code = args.findIndex((arg) => !arg.startsWith('-'))
    if (hasPlaceholder(args[code])) return true
  }
  let isBeforeScript = true
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!
    // Code that follows a flag is no flag, and further code may follow
    if (CODE_FLAG.test(arg)) {
      if (hasPlaceholder(args[at + 1])) return true
      at++
    } else if (!arg.startsWith('-')) isBeforeScript = false
    else if (isBeforeScript && CODE_IN_FLAG.test(arg) && hasPlaceholder(arg)) return true
    // A program that another one runs
    if (!arg.startsWith('-') && isRunner(basename(arg)) && isCode(basename(arg), args.slice(at + 1)))
      return true
  }
  return false
}
