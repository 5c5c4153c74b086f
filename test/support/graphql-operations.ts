/** Deeper than three levels. */
export const DEEP = '{ a { b { c { d } } } }'
/** More than five fields. */
export const WIDE = '{ a: x b: x c: x d: x e: x f: x }'
const STORED = { persistedQuery: { version: 1, sha256Hash: '0'.repeat(64) } }
/** An operation that asks for the schema. */
export const schemaOf = (name: string): string => `{ ${name} { types { name } } }`

/** A request with a GraphQL operation. */
interface Operation {
  readonly what: string
  readonly url?: Record<string, string | readonly string[]>
  readonly body?: unknown
  /** Absent for one that arrives; then where it is wrong. */
  readonly refused?: readonly [code: string, pointer: string]
}

/** Without a body they are GET, else POST; for a proxy with `max_depth` 3 and `max_complexity` 5. */
export const GRAPHQL_OPERATIONS: readonly Operation[] = [
  { what: 'within the bounds', body: { query: '{ a { b { c } } d e }', variables: { x: 1 } } },
  {
    what: 'more fields than max_complexity',
    body: { query: WIDE },
    refused: ['graphql_rejected', '/query'],
  },
  {
    what: 'more fields by fragments',
    body: { query: '{ ...F ...F } fragment F on Q { a b c }' },
    refused: ['graphql_rejected', '/query'],
  },
  { what: 'deeper than max_depth', body: { query: DEEP }, refused: ['graphql_rejected', '/query'] },
  { what: 'by GET', url: { query: '{ a }', variables: '{"x":1}', operationName: '' } },
  { what: 'by GET, too wide', url: { query: WIDE }, refused: ['graphql_rejected', '/query/query'] },
  {
    what: 'by GET, the schema',
    url: { query: schemaOf('__schema') },
    refused: ['graphql_rejected', '/query/query'],
  },
  {
    what: 'a mutation by GET',
    url: { query: 'mutation { a }' },
    refused: ['parameter_invalid', '/query/query'],
  },
  {
    what: 'a mutation by GET beside a query that is asked for',
    url: { query: 'query A { a } mutation B { b }', operationName: 'A' },
    refused: ['parameter_invalid', '/query/query'],
  },
  {
    what: 'two documents by GET',
    url: { query: ['{ a }', 'mutation { a }'] },
    refused: ['parameter_invalid', '/query/query'],
  },
  ...[' query', 'query[]', 'query\0x', 'Query'].map((name) => ({
    what: `a second document as ${JSON.stringify(name)}`,
    url: { query: '{ a }', [name]: DEEP },
    refused: ['parameter_invalid', '/query/query'] as const,
  })),
  { what: 'no document by GET', url: {}, refused: ['parameter_invalid', '/query/query'] },
  {
    what: 'a stored operation by GET',
    url: { extensions: JSON.stringify(STORED) },
    refused: ['parameter_invalid', '/query/query'],
  },
  { what: 'a mutation by POST', body: { query: 'mutation { a }' } },
  {
    what: 'several operations that fit',
    body: { query: 'query A { a } mutation B { b }', operationName: 'B' },
  },
  {
    what: 'another operation than the one asked for is too deep',
    body: { query: `query A { a } query B ${DEEP}`, operationName: 'A' },
    refused: ['graphql_rejected', '/query'],
  },
  {
    what: 'the one asked for is too wide',
    body: { query: `query A { a } query B ${WIDE}`, operationName: 'B' },
    refused: ['graphql_rejected', '/query'],
  },
  { what: 'a batch', body: [{ query: '{ a }' }, { query: '{ b }' }], refused: ['body_invalid', ''] },
  { what: 'a batch of one', body: [{ query: DEEP }], refused: ['body_invalid', ''] },
  { what: 'a stored operation', body: { extensions: STORED }, refused: ['body_invalid', '/query'] },
  { what: 'a stored operation by id', body: { id: 'orders' }, refused: ['body_invalid', '/query'] },
  { what: 'no text', body: { query: null, extensions: STORED }, refused: ['body_invalid', '/query'] },
  { what: 'a document with its hash', body: { query: '{ a }', extensions: STORED } },
  {
    what: 'a document in the URL too',
    url: { query: DEEP },
    body: { query: '{ a }' },
    refused: ['parameter_invalid', '/query/query'],
  },
  {
    what: 'a document in the URL too, under a name in capitals',
    url: { QUERY: DEEP },
    body: { query: '{ a }' },
    refused: ['parameter_invalid', '/query/query'],
  },
  {
    what: 'a second document under a name in capitals',
    body: { query: '{ a }', Query: DEEP },
    refused: ['body_invalid', '/Query'],
  },
  { what: 'operationName in the URL', url: { operationName: 'A' }, body: { query: 'query A { a }' } },
  { what: 'no GraphQL', body: { query: '{ a' }, refused: ['body_invalid', '/query'] },
  {
    what: 'the schema',
    body: { query: schemaOf('__schema') },
    refused: ['graphql_rejected', '/query'],
  },
  {
    what: 'the schema under another name, in a fragment',
    body: { query: '{ ...F } fragment F on Query { x: __type(name: "A") { name } }' },
    refused: ['graphql_rejected', '/query'],
  },
  { what: 'names of types', body: { query: '{ __typename a { __typename } }' } },
]
