/** Lists of tools that a gateway must bound, clean or refuse. */
import { BEHAVIOURS, STRANGE_TEXT } from './behaviours.ts'

export interface ListedTool {
  readonly name: unknown
  readonly description?: unknown
  readonly inputSchema?: unknown
  readonly [member: string]: unknown
}

/** One page of a list: tools, and the cursor of the next one. */
export interface Page {
  readonly tools: readonly ListedTool[]
  readonly nextCursor?: string
}

const EMPTY = { type: 'object' }
const PAGE = 100

function all(tools: readonly ListedTool[]): () => Page {
  return () => ({ tools })
}

/** The honest tool, which answers with its arguments. */
export const ECHO: ListedTool = {
  name: 'echo',
  description: 'Answers with its arguments.',
  inputSchema: EMPTY,
}

/** An object schema whose properties are nested `depth` times. Made as text: such a value cannot be printed recursively. */
export function deepSchema(depth: number): string {
  return `${'{"type":"object","properties":{"a":'.repeat(depth)}{}${'}}'.repeat(depth)}`
}

function wide(name: string, bytes: number): ListedTool {
  return {
    name,
    description: 'Has a very large schema.',
    inputSchema: { ...EMPTY, $comment: 'x'.repeat(bytes) },
  }
}

/** Schemas that take long to compile, to match or to walk. */
const COSTLY: readonly ListedTool[] = [
  {
    name: 'circular',
    inputSchema: {
      ...EMPTY,
      $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } },
      $ref: '#/$defs/a',
    },
  },
  { name: 'remote', inputSchema: { ...EMPTY, $ref: 'http://169.254.169.254/schema.json' } },
  {
    name: 'pattern',
    inputSchema: { ...EMPTY, properties: { a: { type: 'string', pattern: '^(a+)+$' } } },
  },
  {
    name: 'exponential',
    inputSchema: {
      ...EMPTY,
      $defs: Object.fromEntries(
        Array.from({ length: 40 }, (_, at) => [
          `d${at}`,
          at === 39 ? {} : { allOf: [{ $ref: `#/$defs/d${at + 1}` }, { $ref: `#/$defs/d${at + 1}` }] },
        ]),
      ),
      $ref: '#/$defs/d0',
    },
  },
]

const BAD_NAMES: readonly ListedTool[] = [
  '',
  'x'.repeat(129),
  'has space',
  'slash/and/dots/../..',
  'new\nline',
  'rtl\u202Eeman',
  'emoji😀',
  '__proto__',
  'constructor',
  'toString',
  'Echo',
  5,
  null,
  undefined,
].map((name) => ({ name, description: 'Has a name of its own.', inputSchema: EMPTY }))

const BAD_SHAPES: readonly unknown[] = [
  null,
  5,
  'tool',
  [],
  { name: 'no_schema' },
  { name: 'null_schema', inputSchema: null },
  { name: 'true_schema', inputSchema: true },
  { name: 'array_schema', inputSchema: { type: 'array' } },
  { name: 'number_description', description: 7, inputSchema: EMPTY },
  { name: 'bad_annotations', annotations: 'readOnly', inputSchema: EMPTY },
  { name: 'bad_meta', _meta: [], inputSchema: EMPTY },
  {
    name: 'bad_icons',
    icons: [{ src: 'javascript:alert(1)' }, { src: 'http://169.254.169.254/a.png' }],
    inputSchema: EMPTY,
  },
]

const header = (name: string, property: object): ListedTool => ({
  name,
  description: 'Has a header that is not allowed.',
  inputSchema: { ...EMPTY, properties: { a: property, b: { type: 'string' } } },
})

/** Each breaks a rule of `x-mcp-header`. */
const ILLEGAL_HEADERS: readonly ListedTool[] = [
  header('header_number', { type: 'number', 'x-mcp-header': 'A' }),
  header('header_empty', { type: 'string', 'x-mcp-header': '' }),
  header('header_space', { type: 'string', 'x-mcp-header': 'A B' }),
  header('header_line', { type: 'string', 'x-mcp-header': 'A\r\nAuthorization: Bearer x' }),
  header('header_object', { type: 'object', 'x-mcp-header': 'A' }),
  header('header_not_text', { type: 'string', 'x-mcp-header': 5 }),
  header('header_in_items', { type: 'array', items: { type: 'string', 'x-mcp-header': 'A' } }),
  {
    name: 'header_twice',
    inputSchema: {
      ...EMPTY,
      properties: { a: { type: 'string', 'x-mcp-header': 'A' }, b: { type: 'string', 'x-mcp-header': 'a' } },
    },
  },
]

/** By name. `cursor` is what the client sent; an answer as text is sent as it stands in the place of the result. */
export const CATALOGUES = {
  /** One tool for each behaviour, and the honest one. */
  behaviours: all([
    ECHO,
    ...Object.entries(BEHAVIOURS).map(([name, { does }]) => ({
      name: `hostile_${name}`,
      description: does,
      inputSchema: EMPTY,
    })),
  ]),
  /** 10,000 tools, 100 on a page. */
  many: (cursor: string | undefined): Page => {
    const start = Number(cursor ?? 0)
    const tools = Array.from({ length: PAGE }, (_, at) => ({ ...ECHO, name: `tool_${start + at}` }))
    return { tools, ...(start + PAGE < 10_000 ? { nextCursor: String(start + PAGE) } : {}) }
  },
  /** 10,000 tools on one page. */
  many_at_once: all(Array.from({ length: 10_000 }, (_, at) => ({ ...ECHO, name: `tool_${at}` }))),
  /** Pages without an end. */
  endless_pages: (cursor: string | undefined): Page => {
    const start = Number(cursor ?? 0)
    return { tools: [{ ...ECHO, name: `tool_${start}` }], nextCursor: String(start + 1) }
  },
  /** Each page names itself as the next one. */
  repeated_cursor: (): Page => ({ tools: [ECHO], nextCursor: 'again' }),
  empty_cursor: (): Page => ({ tools: [ECHO], nextCursor: '' }),
  /** Schemas of 1 MB. */
  huge: all([ECHO, ...Array.from({ length: 8 }, (_, at) => wide(`huge_${at}`, 1024 * 1024))]),
  /** A schema that is nested 50,000 times. */
  deep: (): string =>
    `{"resultType":"complete","ttlMs":0,"cacheScope":"private","tools":[${JSON.stringify(ECHO)},{"name":"deep","inputSchema":${deepSchema(50_000)}}]}`,
  costly: all([ECHO, ...COSTLY]),
  strange_text: all([
    ECHO,
    { name: 'strange', title: STRANGE_TEXT, description: STRANGE_TEXT, inputSchema: EMPTY },
    { name: 'long', description: 'x'.repeat(1024 * 1024), inputSchema: EMPTY },
  ]),
  bad_names: all([ECHO, ...BAD_NAMES]),
  bad_shapes: all([ECHO, ...(BAD_SHAPES as ListedTool[])]),
  duplicates: all([
    ECHO,
    { ...ECHO, description: 'The second of the same name.' },
    { ...ECHO, name: 'ECHO', description: 'Differs in case alone.' },
  ]),
  illegal_headers: all([ECHO, ...ILLEGAL_HEADERS]),
  none: all([]),
} satisfies Record<string, (cursor: string | undefined) => Page | string>
export type CatalogueName = keyof typeof CATALOGUES
