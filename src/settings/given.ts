import { parseArgs } from 'node:util'
import { CannotStart } from '../base/refusal.ts'
import { nearestName } from '../base/text/distance.ts'
import { flagOf, NOT_AVAILABLE, OF_THE_CLI, PREFIX, SCHEMA } from './schema.ts'

/** One setting as text. */
export interface Given {
  readonly text: string
  /** As the person wrote it: `POSTERN_LISTEN` or `--listen`. */
  readonly source: string
}

/** Settings of the environment, by name. Throws CannotStart for a name that is none. */
export function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Map<string, Given> {
  const given = new Map<string, Given>()
  for (const [key, text] of Object.entries(env)) {
    if (!key.startsWith(PREFIX) || text === undefined) continue
    const name = key.slice(PREFIX.length)
    if (OF_THE_CLI.some((own) => own === name)) continue
    if (!isSetting(name)) {
      const known = [...settingNames(), ...OF_THE_CLI].map((other) => PREFIX + other)
      throw new CannotStart(`${key} is not a setting. ${suggest(key, known)}`)
    }
    // An empty variable is how compose files and shells leave something unset; only EXPOSE can mean it.
    if (text !== '' || name === 'EXPOSE') given.set(name, { text, source: key })
  }
  return given
}

/** Settings of flags, by name. Throws CannotStart for what is none, has no value or stands twice. */
export function fromFlags(argv: readonly string[]): Map<string, Given> {
  const options = Object.fromEntries(
    settingNames().map((name) => [flagOf(name), { type: 'string' as const }]),
  )
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true })
  const given = new Map<string, Given>()
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional')
      throw new CannotStart(`"${token.value}" is not a flag. Give settings as flags, such as --listen :8080.`)
    const name = settingNames().find((other) => flagOf(other) === token.name)
    const flag = token.rawName
    if (name === undefined) {
      const known = ['--help', ...settingNames().map((other) => `--${flagOf(other)}`)]
      throw new CannotStart(`${flag} is not a setting. ${suggest(flag, known)}`)
    }
    if (token.value === undefined) throw new CannotStart(`${flag} needs a value.`)
    if (given.has(name)) throw new CannotStart(`${flag} is given twice.`)
    given.set(name, { text: token.value, source: flag })
  }
  return given
}

function settingNames(): readonly string[] {
  return [...Object.keys(SCHEMA.shape), ...Object.keys(NOT_AVAILABLE)]
}

function isSetting(name: string): boolean {
  return Object.hasOwn(SCHEMA.shape, name) || Object.hasOwn(NOT_AVAILABLE, name)
}

function suggest(wrong: string, known: readonly string[]): string {
  const nearest = nearestName(wrong, known)
  return nearest === null ? 'docs/settings.md lists all settings.' : `Did you mean ${nearest}?`
}
