/**
 * Values that an entry of a registry asks for: those of headers, URLs, arguments and environment variables. A value that is
 * marked as a secret never becomes text: notes name its place alone.
 */
import { isPlain, listedTexts, type Plain } from '../../base/json/storable.ts'

/** What an administrator has given, by the name of the variable, header or argument. */
export type GivenValues = Readonly<Record<string, string>>

/** What becomes of one input. */
export type Filled =
  | { readonly kind: 'text'; readonly text: string }
  /** A secret, with the text before it. `name` is what it is called in the entry. */
  | { readonly kind: 'secret'; readonly prefix: string; readonly name: string }
  /** It may be left out, and is. */
  | { readonly kind: 'absent' }
  /** @property reason the end of a sentence about it */
  | { readonly kind: 'fault'; readonly reason: string }

/** Characters of a value. */
const TEXT_MAX = 4_096
const DESCRIPTION_SHOWN = 80
const VARIABLE = /\{([A-Za-z_][A-Za-z0-9_.-]{0,63})\}/g
const CONTROL = /[\0-\x1f\x7f]/

/** @param name of the input, which a value can be given for. @param input as the schema has it */
export function filled(name: string, input: Plain, given: GivenValues): Filled {
  const { value } = input
  if (typeof value !== 'string') return plainInput(name, input, given)
  if (value.length > TEXT_MAX) return fault(`has more than ${TEXT_MAX} characters`)
  const isSecret = isMarked(input)
  if (isSecret && value.search(VARIABLE) === -1) return { kind: 'secret', prefix: '', name }
  return template(value, input['variables'], given, (text) => text, isSecret)
}

/**
 * A text with its variables in braces filled in.
 * @param quoted how a value stands at its place, by what stands before it; null where it may not
 * @param isSecret all its variables are secrets, whatever they say
 */
export function template(
  text: string,
  variables: unknown,
  given: GivenValues,
  quoted: (value: string, before: string) => string | null,
  isSecret = false,
): Filled {
  const inputs = isPlain(variables) ? variables : {}
  const pieces = text.split(VARIABLE)
  let made = ''
  for (const [at, piece] of pieces.entries()) {
    if (at % 2 === 0) {
      made += piece
      continue
    }
    const own = Object.hasOwn(inputs, piece) ? inputs[piece] : undefined
    // A variable that the entry does not explain is needed all the same
    const input = isPlain(own) ? own : { isRequired: true }
    const needed = { ...input, isRequired: true, ...(isSecret ? { isSecret } : {}) }
    const found = plainInput(piece, needed, given)
    if (found.kind === 'fault') return found
    if (found.kind === 'secret') {
      const isLast = at === pieces.length - 2 && pieces.at(-1) === ''
      if (!isLast) return fault(`has the secret ${piece} in the middle`)
      return { kind: 'secret', prefix: made, name: piece }
    }
    const value = found.kind === 'text' ? quoted(found.text, made) : null
    if (value === null) return fault(`cannot have the value of ${piece}`)
    made += value
  }
  return textOf(made)
}

function plainInput(name: string, input: Plain, given: GivenValues): Filled {
  const { isRequired, value, choices, format } = input
  const preset = value ?? input['default']
  if (isMarked(input)) return { kind: 'secret', prefix: '', name }
  const own = Object.hasOwn(given, name) ? given[name] : preset
  if (own === undefined || own === null)
    return isRequired === true ? fault(`needs a value for ${name}${explained(input)}`) : { kind: 'absent' }
  const text = typeof own === 'string' ? own : JSON.stringify(own)
  if (Array.isArray(choices) && choices.length > 0 && !choices.includes(own))
    return fault(
      `needs one of the values that ${name} may have: ${listedTexts(choices).slice(0, 10).join(', ').slice(0, 200)}`,
    )
  if (format === 'number' && !/^-?\d{1,15}(\.\d{1,15})?$/.test(text))
    return fault(`needs a number for ${name}`)
  if (format === 'boolean' && !/^(true|false)$/.test(text)) return fault(`needs true or false for ${name}`)
  return textOf(text)
}

/** Any mark counts but a plain no: what is no boolean may be meant as a yes. */
function isMarked({ isSecret }: Plain): boolean {
  return isSecret !== undefined && isSecret !== false
}

function textOf(text: string): Filled {
  if (text.length > TEXT_MAX) return fault(`has more than ${TEXT_MAX} characters`)
  return CONTROL.test(text) || !text.isWellFormed()
    ? fault('has characters that no value may have')
    : { kind: 'text', text }
}

function explained({ description }: Plain): string {
  if (typeof description !== 'string' || description.trim() === '') return ''
  return ` (${description.replace(/\s+/g, ' ').trim().slice(0, DESCRIPTION_SHOWN).toWellFormed()})`
}

function fault(reason: string): Filled {
  return { kind: 'fault', reason }
}
