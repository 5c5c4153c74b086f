/**
 * Rules of the leg `list` on items of lists: tools, prompts and resources as servers describe them. A rule that blocks leaves
 * an item out. A rule that changes texts changes titles, descriptions, defaults and examples. Texts that clients send back,
 * such as a name or a URI, cannot be changed: an item with a finding there is left out too.
 */
import { isPlain, type Plain } from '../base/json/storable.ts'
import { applyText, applyValue, failed } from './apply.ts'
import { bytesMaxOf } from './content.ts'
import type { Chain, Rule } from './rule.ts'
import type { Tally } from './tally.ts'

const LEG = 'list'
/** Members that models read, and that mean nothing to a server. */
const TEXTS = ['title', 'description', 'annotations'] as const
const SCHEMAS = ['inputSchema', 'outputSchema'] as const
/** Members of a schema that validate nothing (JSON Schema 2020-12, validation, section 9). */
const NOTES: ReadonlySet<string> = new Set(['title', 'description', '$comment', 'default', 'examples'])
/** Members of a schema whose values are data. */
const DATA: ReadonlySet<string> = new Set(['enum', 'const', 'required'])

/**
 * The item as the rules leave it, the same object where nothing is changed; null for one that is left out.
 * @param key member by which clients name it
 */
export function listedItem(chain: Chain, item: Plain, key: string, tally: Tally): Plain | null {
  if (Buffer.byteLength(JSON.stringify(item)) > bytesMaxOf(chain))
    return failed(chain, item, LEG, tally, 'the item is longer than max_body').stop === null ? item : null
  let current = item
  for (const rule of chain) {
    if (rule.fault !== null) {
      if (failed([rule], null, LEG, tally, rule.fault).stop !== null) return null
      continue
    }
    if (rule.act === null) {
      if (applyValue([rule], current, LEG, tally).stop !== null) return null
      continue
    }
    const name = current[key]
    if (typeof name === 'string' && applyText([rule], name, LEG, tally, key).value !== name) return null
    current = changedItem(current, rule, key, tally)
  }
  return current
}

/** A text that a server gives its clients to read; empty where a rule blocks it. */
export function listedText(chain: Chain, text: string, tally: Tally): string {
  const { value, stop } = applyText(chain, text, LEG, tally)
  return stop === null ? value : ''
}

function changedItem(item: Plain, rule: Rule, key: string, tally: Tally): Plain {
  const changed: Plain = {}
  const note = (member: string, value: unknown): void => {
    if (value !== item[member]) changed[member] = value
  }
  const texts = key === 'name' ? TEXTS : ([...TEXTS, 'name'] as const)
  for (const member of texts)
    if (item[member] !== undefined) note(member, changedValue(item[member], rule, member, tally))
  const { arguments: given } = item
  if (Array.isArray(given)) {
    const after = given.map((one) => (isPlain(one) ? changedNotes(one, rule, tally) : one))
    if (after.some((one, index) => one !== given[index])) changed['arguments'] = after
  }
  for (const member of SCHEMAS)
    if (item[member] !== undefined) note(member, changedSchema(item[member], rule, tally))
  return Object.keys(changed).length === 0 ? item : { ...item, ...changed }
}

/** An argument of a prompt: its name stays. */
function changedNotes(argument: Plain, rule: Rule, tally: Tally): Plain {
  return changedMembers(argument, (name, value) =>
    NOTES.has(name) ? changedValue(value, rule, name, tally) : value,
  )
}

function changedSchema(schema: unknown, rule: Rule, tally: Tally): unknown {
  if (Array.isArray(schema)) {
    const after = schema.map((one) => changedSchema(one, rule, tally))
    return after.some((one, index) => one !== schema[index]) ? after : schema
  }
  if (!isPlain(schema)) return schema
  return changedMembers(schema, (name, value) => {
    // A property may have the name of a keyword: its schema is no text
    if (NOTES.has(name) && (typeof value === 'string' || name === 'default' || name === 'examples'))
      return changedValue(value, rule, name, tally)
    return DATA.has(name) ? value : changedSchema(value, rule, tally)
  })
}

function changedMembers(object: Plain, change: (name: string, value: unknown) => unknown): Plain {
  const after = Object.entries(object).map(([name, value]) => [name, change(name, value)] as const)
  return after.every(([name, value]) => value === object[name]) ? object : Object.fromEntries(after)
}

function changedValue(value: unknown, rule: Rule, name: string, tally: Tally): unknown {
  if (typeof value === 'string') return applyText([rule], value, LEG, tally, name).value
  return applyValue([rule], value, LEG, tally).value
}
