/** The arguments of `npm test`. */

/** What run.ts is asked to do. */
export interface Arguments {
  /** Test files that are named, paths from the root of the project. */
  readonly files: readonly string[]
  /** Flags of run.ts, such as `--all`. */
  readonly flags: ReadonlySet<string>
  /** Flags that `node --test` gets as they are. */
  readonly node: readonly string[]
}

const FLAGS: readonly string[] = ['--all', '--only-long', '--smoke', '--unit', '--scenarios', '--postgres']
/** Flags of Node whose value may be the next argument. */
const WITH_VALUE: readonly string[] = ['--test-name-pattern', '--test-skip-pattern']
const ALONE = /^--(watch|test-only|inspect(-brk|-wait)?)$|^--inspect(-brk|-wait)?=/

/** Throws if it knows no flag of that name: a flag that does nothing would pass for one that worked. */
export function readArguments(given: readonly string[]): Arguments {
  const files: string[] = []
  const flags = new Set<string>()
  const node: string[] = []
  for (let at = 0; at < given.length; at++) {
    const argument = given[at]!
    const [name] = argument.split('=')
    if (!argument.startsWith('-')) files.push(argument)
    else if (FLAGS.includes(argument)) flags.add(argument)
    else if (ALONE.test(argument)) node.push(argument)
    else if (WITH_VALUE.includes(name!)) {
      const value = argument.includes('=') ? argument.slice(name!.length + 1) : given[++at]
      if (value === undefined) throw new Error(`${name} needs a value`)
      node.push(`${name}=${value}`)
    } else
      throw new Error(`no flag ${argument}: ${[...FLAGS, ...WITH_VALUE, '--watch', '--inspect'].join(', ')}`)
  }
  return { files, flags, node }
}
