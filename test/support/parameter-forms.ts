export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/** A call of an operation. */
export interface Call {
  /** Below the path of its operation, for templates in it; with a query. */
  readonly path: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

/** Where a parameter stands. */
type Place = 'path' | 'query' | 'header' | 'cookie'
/** How a parameter is written. */
interface Form {
  readonly in: Place
  readonly style: string
  readonly explode: boolean
}

/** Every form that a path of the gateway can carry. */
export const FORMS: readonly Form[] = (
  [
    ['query', ['form', 'spaceDelimited', 'pipeDelimited', 'deepObject']],
    ['path', ['simple', 'label', 'matrix']],
    ['header', ['simple']],
    ['cookie', ['form']],
  ] as const
).flatMap(([place, styles]) =>
  styles.flatMap((style) => [true, false].map((explode) => ({ in: place, style, explode }))),
)

/** A value by the table of OpenAPI 3.1.1 section 4.8.12.4; null where that says nothing. */
export function written({ in: place, style, explode }: Form, value: Json): string | null {
  const text = (one: Json): string =>
    place === 'header' || place === 'cookie' ? String(one) : encodeURIComponent(String(one))
  const pairs =
    value !== null && typeof value === 'object' && !Array.isArray(value) ? Object.entries(value) : null
  const list = Array.isArray(value) ? value : null
  const flat = (pairs?.flat() ?? list ?? [value]).map((one) => text(one as Json))
  const named = pairs?.map(([name, one]) => `${text(name)}=${text(one)}`) ?? null
  switch (style) {
    case 'simple':
      return explode && named !== null ? named.join(',') : flat.join(',')
    case 'label':
      return explode && named !== null ? `.${named.join('.')}` : `.${flat.join(explode ? '.' : ',')}`
    case 'matrix':
      if (explode && named !== null) return `;${named.join(';')}`
      return `;p=${flat.join(explode ? ';p=' : ',')}`
    case 'form':
      if (place === 'cookie' && explode && (list !== null || named !== null)) return null
      if (explode && named !== null) return named.join('&')
      return explode && list !== null ? flat.map((one) => `p=${one}`).join('&') : `p=${flat.join(',')}`
    case 'deepObject':
      return pairs === null || !explode
        ? null
        : pairs.map(([name, one]) => `p[${name}]=${text(one)}`).join('&')
    default:
      if (explode || (pairs === null && list === null)) return null
      return `p=${flat.join(style === 'pipeDelimited' ? '|' : '%20')}`
  }
}

/** The call with a parameter that is written so. */
export function callWith(form: Form, text: string): Call {
  switch (form.in) {
    case 'path':
      return { path: `/${text}` }
    case 'query':
      return { path: `?${text}` }
    case 'header':
      return { path: '', headers: { p: text } }
    case 'cookie':
      return { path: '', headers: { cookie: `other=1; ${text}` } }
  }
}

/** A schema of a parameter, and values. */
interface Kind {
  readonly what: string
  readonly schema: object
  readonly valid: readonly Json[]
  readonly invalid: readonly Json[]
}

/** A list of integers. */
export const LIST = { type: 'array', items: { type: 'integer' } }
export const KINDS: readonly Kind[] = [
  { what: 'an integer', schema: { type: 'integer', minimum: -5 }, valid: [0, 7, -3, 1e21], invalid: ['x'] },
  {
    what: 'cents',
    schema: { type: 'number', multipleOf: 0.01 },
    valid: [19.99, 0.07, 1.1],
    invalid: [0.001],
  },
  { what: 'more than', schema: { type: 'number', exclusiveMinimum: 1 }, valid: [1.01], invalid: [1] },
  {
    what: 'a number with keywords of texts',
    schema: { type: 'integer', pattern: '^[a-z]+$', minLength: 9, format: 'date' },
    valid: [7],
    invalid: ['abcdefghi'],
  },
  { what: 'a boolean', schema: { type: 'boolean' }, valid: [true, false], invalid: ['maybe'] },
  {
    what: 'a text',
    schema: { type: 'string', maxLength: 5 },
    valid: ['a', 'a,b', 'true', '12'],
    invalid: ['abcdef'],
  },
  {
    what: 'letters of all scripts',
    schema: { type: 'string', pattern: '^[\\p{L}\\d_.-]+$', format: 'of-our-own' },
    valid: ['abc', 'a-b.c'],
    invalid: ['a!'],
  },
  {
    what: 'an integer or a word',
    schema: { anyOf: [{ type: 'integer' }, { enum: ['all'] }] },
    valid: [4, 'all'],
    invalid: ['some'],
  },
  { what: 'a list', schema: LIST, valid: [[1, 2], [3]], invalid: [['x', 'y']] },
  {
    what: 'a text or a list',
    schema: {
      oneOf: [
        { type: 'string', maxLength: 1 },
        { type: 'array', items: { type: 'string' }, minItems: 2 },
      ],
    },
    valid: ['a', ['ab', 'cd']],
    invalid: [],
  },
  {
    what: 'one of some lists',
    schema: { enum: [['a', 'b'], ['c']] },
    valid: [['a', 'b'], ['c']],
    invalid: [],
  },
  {
    what: 'a list of choices',
    schema: { allOf: [{ $ref: '#/components/schemas/Sorts' }] },
    valid: [['name'], ['name', '-age']],
    invalid: [['no', 'name']],
  },
  {
    what: 'an object',
    schema: {
      type: 'object',
      properties: { R: { type: 'integer' }, G: { type: 'string' } },
      required: ['R'],
    },
    valid: [{ R: 100, G: 'a' }, { R: 1 }],
    invalid: [],
  },
]
/** What schemas of `KINDS` refer to. */
export const COMPONENTS = {
  components: {
    schemas: { Sorts: { type: 'array', items: { type: 'string', enum: ['name', '-age'] }, minItems: 1 } },
  },
}
