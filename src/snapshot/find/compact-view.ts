/**
 * The compact view of a list of tools: three tools that find, describe and call the others, so that a long list costs a model
 * few tokens. It is made from the list of one caller, so it contains nothing that is hidden from the caller.
 */
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { indexTexts, type SearchField, type TextIndex } from '../../base/text/search.ts'
import { estimateTokens } from '../../base/text/token-estimate.ts'
import type { VisibleList } from './capability-caller.ts'
import type { Visible } from './capability-view.ts'

export const COMPACT_TOOLS = { search: 'search_tools', describe: 'describe_tool', call: 'call_tool' } as const

/** Tools that a search gives. */
export const SEARCH_LIMIT = { default: 10, max: 50 } as const

/** A tool as a search shows it: enough to choose it, and often to call it. */
interface Hit {
  readonly name: string
  readonly description: string
  /** Names of its arguments; those that may be left out end with `?`. */
  readonly arguments: readonly string[]
  readonly origin: string
}

export interface CompactView {
  /** JSON of the array that a list result has. */
  readonly json: string
  /** Estimated tokens of {@link json}. */
  readonly tokens: number
  /** The tools that fit best; for a query without text the first of the list. @param limit at most `SEARCH_LIMIT.max` */
  search(query: string, limit: number): { readonly tools: readonly Hit[]; readonly total: number }
}

/** Characters of the description of a tool in a hit. */
const DESCRIPTION_MAX = 200
/** Arguments of a tool in a hit, and characters of one. */
const ARGUMENTS_MAX = 16
const ARGUMENT_CHARS_MAX = 64
/** Characters of the names of origins in a description. */
const ORIGINS_CHARS_MAX = 600
/** Characters of a description in which words are found. */
const INDEXED_MAX = 1_000

/**
 * The compact view of a list. The index of the words is made by the first search.
 * @param originOf name of the origin with an id
 */
export function compactView({ items }: VisibleList, originOf: (member: string) => string): CompactView {
  let [json, tokens, index]: [string | null, number | null, TextIndex | null] = [null, null, null]
  return {
    get json() {
      json ??= JSON.stringify(toolsOver(contentsOf(items, originOf)))
      return json
    },
    get tokens() {
      tokens ??= estimateTokens(this.json)
      return tokens
    },
    search(query, limit) {
      if (query.trim() === '')
        return { tools: items.slice(0, limit).map((item) => toHit(item, originOf)), total: items.length }
      index ??= indexTexts(items.map((item) => fieldsOf(item, originOf)))
      const { places, total } = index.search(query, limit)
      return { tools: places.map((place) => toHit(items[place]!, originOf)), total }
    },
  }
}

/** What is there, such as `52, from GitHub (40), Tickets (12)`. */
function contentsOf(items: readonly Visible[], originOf: (member: string) => string): string {
  const counts = new Map<string, number>()
  for (const { member } of items) counts.set(member, (counts.get(member) ?? 0) + 1)
  const named: string[] = []
  let chars = 0
  for (const [member, tools] of counts) {
    const text = `${originOf(member)} (${tools})`
    chars += text.length
    if (chars > ORIGINS_CHARS_MAX) {
      named.push(`${counts.size - named.length} more`)
      break
    }
    named.push(text)
  }
  return named.length === 0 ? '0' : `${items.length}, from ${named.join(', ')}`
}

const TEXT = { type: 'string' }
const NAME = { type: 'string', description: 'Name of a tool, as search_tools returns it' }
const READS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false }

function toolsOver(contents: string): readonly Plain[] {
  return [
    {
      name: COMPACT_TOOLS.search,
      title: 'Search tools',
      description: `Finds tools by words, best first. Tools here: ${contents}. Search before you say that no tool exists.`,
      inputSchema: {
        type: 'object',
        properties: {
          query: {
            type: 'string',
            description: 'What the tool does, such as "create issue"; empty: the first tools',
          },
          limit: { type: 'integer', minimum: 1, maximum: SEARCH_LIMIT.max, default: SEARCH_LIMIT.default },
        },
        required: ['query'],
      },
      outputSchema: {
        type: 'object',
        properties: {
          tools: {
            type: 'array',
            items: {
              type: 'object',
              properties: {
                name: TEXT,
                description: TEXT,
                arguments: { type: 'array', items: TEXT, description: 'With ?: optional' },
                origin: TEXT,
              },
            },
          },
          total: { type: 'integer', description: 'Number of matching tools' },
        },
      },
      annotations: READS,
    },
    {
      name: COMPACT_TOOLS.describe,
      title: 'Describe a tool',
      description: 'Returns the full definition of a tool, with the schema of its arguments.',
      inputSchema: { type: 'object', properties: { name: NAME }, required: ['name'] },
      annotations: READS,
    },
    {
      name: COMPACT_TOOLS.call,
      title: 'Call a tool',
      description: 'Calls a tool and returns its result. describe_tool returns the schema of the arguments.',
      inputSchema: {
        type: 'object',
        properties: { name: NAME, arguments: { type: 'object', description: 'Arguments of the tool' } },
        required: ['name'],
      },
      // Whatever the tool behind it does
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
    },
  ]
}

function fieldsOf({ name, member, shown }: Visible, originOf: (member: string) => string): SearchField[] {
  return [
    { text: name, weight: 4 },
    { text: textOf(shown['title']), weight: 2 },
    { text: originOf(member), weight: 2 },
    { text: textOf(shown['description']).slice(0, INDEXED_MAX), weight: 1 },
    { text: argumentsOf(shown).join(' '), weight: 1 },
  ]
}

function toHit({ name, member, shown }: Visible, originOf: (member: string) => string): Hit {
  const description = textOf(shown['description']) || textOf(shown['title'])
  return {
    name,
    description: shortened(description),
    arguments: argumentsOf(shown),
    origin: originOf(member),
  }
}

function argumentsOf({ inputSchema }: Plain): readonly string[] {
  if (!isPlain(inputSchema) || !isPlain(inputSchema['properties'])) return []
  const required: readonly unknown[] = Array.isArray(inputSchema['required']) ? inputSchema['required'] : []
  const names = Object.keys(inputSchema['properties'])
  const listed = names
    .slice(0, ARGUMENTS_MAX)
    .map((name) => beginningOf(name, ARGUMENT_CHARS_MAX) + (required.includes(name) ? '' : '?'))
  return names.length > ARGUMENTS_MAX ? [...listed, '…'] : listed
}

/** The beginning of a text in one line, up to the end of a word. */
function shortened(text: string): string {
  const line = text
    .slice(0, 2 * DESCRIPTION_MAX)
    .replace(/\s+/g, ' ')
    .trim()
  if (line.length <= DESCRIPTION_MAX) return line
  const cut = beginningOf(line, DESCRIPTION_MAX)
  const end = cut.lastIndexOf(' ')
  // A text without spaces is cut anywhere
  return `${end > DESCRIPTION_MAX / 2 ? cut.slice(0, end) : cut}…`
}

/** Not cut within a character. */
function beginningOf(text: string, chars: number): string {
  return text.length <= chars ? text : text.slice(0, chars).replace(/[\uD800-\uDBFF]$/, '')
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
