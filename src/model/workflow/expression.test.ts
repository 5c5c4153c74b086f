import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Environment } from '@marcbachmann/cel-js'
import fc from 'fast-check'
import { type Outcome, type Program, toExpression, UNDECIDED } from '../../base/expression/expression.ts'
import { conditionReader, EXPRESSION_CHARS_MAX, type ExpressionFault } from './expression.ts'

const VARIABLES = {
  arguments: 'map<string, dyn>',
  client: { id: 'string', slug: 'string' },
  user: { id: 'string', groups: 'list<string>' },
  claims: 'map<string, dyn>',
} as const
const NAMES = Object.keys(VARIABLES)
const read = conditionReader(VARIABLES)

function programOf(text: string): Program {
  const found = read(text)
  assert.ok('program' in found, `${text}: ${JSON.stringify(found)}`)
  return found.program
}

function faultOf(text: string): ExpressionFault {
  const found = read(text)
  assert.ok('reason' in found, text)
  return found
}

const VALUES = {
  arguments: {
    count: 5,
    half: 0.5,
    name: 'Straße',
    flag: true,
    nothing: null,
    list: [1, 2, 3],
    tags: ['a', 'b'],
    owner: { id: 'u1', roles: ['x'] },
  },
  client: { id: 'cli_1', slug: 'acme' },
  user: { id: 'u1', groups: ['dev', 'ops'] },
  claims: { tenant: 'north' },
}

function outcome(text: string, values: Readonly<Record<string, unknown>> = VALUES): Outcome {
  // As a fragment carries it
  const program = JSON.parse(JSON.stringify(programOf(text))) as Program
  return toExpression(program, NAMES).decide(values)
}

test('conditions hold as CEL says', () => {
  for (const text of [
    'true',
    'client.slug == "acme" && "dev" in user.groups',
    'arguments.count > 4 && arguments.count <= 5 && arguments.count == 5',
    'arguments.half + 0.5 == 1.0 && arguments.count != 5.5',
    '1 + 2 * 3 - 4 / 3 == 6 && 7 % 4 == 3 && -7 / 2 == -3',
    'has(arguments.owner.id) && !has(arguments.owner.name)',
    'arguments["owner"].id == user.id && arguments.list[0] == 1',
    'arguments.name.size() == 6 && size(arguments.list) == 3 && size(arguments.owner) == 2',
    'arguments.name.startsWith("Str") && arguments.name.endsWith("e") && arguments.name.contains("ra")',
    'arguments.name.matches("^[A-Z]") && !arguments.name.matches("^$")',
    'arguments.tags == ["a", "b"] && arguments.list != [1, 2]',
    'arguments.tags + ["c"] == ["a", "b", "c"] && "a" + "b" == "ab"',
    'arguments.list.all(x, x > 0) && arguments.list.exists(x, x == 2)',
    'arguments.list.exists_one(x, x == 2) && !arguments.list.exists_one(x, x > 1)',
    'arguments.list.filter(x, x > 1.0).map(x, x * 2.0) == [4.0, 6.0]',
    'arguments.list.exists(x, arguments.list.exists(y, x + y == 6.0))',
    'arguments.flag ? client.id == "cli_1" : false',
    'arguments.nothing == null && arguments.count != null',
    '"tenant" in claims && !("other" in claims)',
    '"ÄbC".lowerAscii() == "Äbc" && "aß".upperAscii() == "Aß"',
    'string(5) == "5" && int(5.9) == 5 && double(2) == 2.0 && string(true) == "true"',
    '9223372036854775807 > 9223372036854775806',
    // One side that decides makes up for the error of the other
    'arguments.missing == 1 || true',
    '!(arguments.missing == 1 && false)',
    'arguments.list.exists(x, x.y == 1 || x == 3)',
  ])
    assert.equal(outcome(text), 'holds', text)
  for (const text of ['false', 'client.slug == "Acme"', '5 in arguments.tags', 'arguments.count == "5"'])
    assert.equal(outcome(text), 'fails_to_hold', text)
})

test('what has no value fails, and so does a value that is not a truth value', () => {
  for (const text of [
    'arguments.missing',
    'arguments.missing == 1',
    'arguments.missing == 1 || false',
    'arguments.count',
    'arguments.name && true',
    '!arguments.count',
    'arguments.count + 1 == 6',
    '1 / 0 == 1',
    '1 % 0 == 1',
    '9223372036854775807 + 1 > 0',
    'arguments.list[3] == 1',
    'arguments.list[-1] == 1',
    'arguments.name[0] == "S"',
    'arguments.count.size() == 1',
    'arguments.nothing < 1',
    'arguments.name > 1',
    'arguments.count.all(x, true)',
    'has(arguments.count.x)',
    'arguments.constructor != null',
    'arguments["__proto__"] != null',
    '"x" in arguments.name',
    'double(arguments.name) > 1.0',
    'int(1.0 / 0.0) > 1',
  ])
    assert.equal(outcome(text), 'failed', text)
  assert.equal(outcome('"toString" in arguments'), 'fails_to_hold')
  assert.equal(outcome('has(arguments.valueOf)'), 'fails_to_hold')
  assert.equal(outcome('client.id == "x"', {}), 'failed')
})

test('an undecided variable leaves undecided only what depends on it', () => {
  const values = { ...VALUES, arguments: UNDECIDED }
  for (const [text, expected] of [
    ['arguments.count > 1', 'undecided'],
    ['client.slug == "acme" && arguments.count > 1', 'undecided'],
    ['client.slug == "other" && arguments.count > 1', 'fails_to_hold'],
    ['arguments.count > 1 && client.slug == "other"', 'fails_to_hold'],
    ['arguments.count > 1 || client.slug == "acme"', 'holds'],
    ['arguments.count > 1 || claims.missing == 1', 'undecided'],
    ['claims.missing == 1 && arguments.count > 1', 'undecided'],
    ['claims.missing == 1', 'failed'],
    ['client.slug == "acme" ? true : arguments.x', 'holds'],
    ['user.groups.exists(g, g == "ops" || g == arguments.group)', 'holds'],
    ['user.groups.all(g, g == arguments.group)', 'undecided'],
  ] as const)
    assert.equal(outcome(text, values), expected, text)
})

test('a fault names its place', () => {
  for (const [text, line, column, reason] of [
    ['', 1, 1, /EOF/],
    ['client.idd == "a"', 1, 8, /No such key: idd/],
    ['client.slug == "a" &&\n  clent.slug == "b"', 2, 3, /Unknown variable: clent/],
    ['client.slug == 1', 1, 1, /no such overload/],
    ['client.slug', 1, 1, /gives string; a condition gives true or false/],
    ['client', 1, 1, /gives an object/],
    ['arguments.x.matches(arguments.y)', 1, 21, /takes a literal/],
    ['arguments.x.matches("(a)\\\\1")', 1, 21, /no regular expression/],
    ['arguments == {}', 1, 14, /map literals/],
    ['arguments.x == b"a"', 1, 16, /byte/],
    ['arguments.x == 1u', 1, 16, /unsigned/],
    ['timestamp(arguments.t) == timestamp(0)', 1, 1, /timestamp is not available/],
    ['cel.bind(x, 1, x == 1)', 1, 1, /bind is not available/],
    ['"a,b".split(",") == []', 1, 1, /split is not available/],
    ['user.groups.all(client, true)', 1, 17, /client is taken/],
    ['99999999999999999999 == 1', 1, 1, /64 bits/],
  ] as const) {
    const fault = faultOf(text)
    assert.match(fault.reason, reason, text)
    assert.deepEqual([fault.line, fault.column], [line, column], text)
  }
})

test('length, depth and size of an expression are bounded', () => {
  assert.match(faultOf(`true${' '.repeat(EXPRESSION_CHARS_MAX)}`).reason, /more than 2048 characters/)
  assert.match(faultOf(`${'('.repeat(200)}true${')'.repeat(200)}`).reason, /maxDepth/)
  assert.match(faultOf(`${'true&&'.repeat(300)}true`).reason, /maxAstNodes/)
  assert.match(faultOf(`1 in [${'1,'.repeat(300)}1]`).reason, /maxListElements/)
  assert.ok('program' in read(`${'!'.repeat(300)}true`))
})

test('an evaluation ends after its steps, and nothing makes up for that', () => {
  const values = {
    ...VALUES,
    arguments: { list: Array.from({ length: 1000 }, (_, at) => at), text: 'a'.repeat(2e6) },
  }
  const nested = 'arguments.list.all(x, arguments.list.all(y, arguments.list.all(z, x + y + z < 1e9)))'
  const doubled = 'arguments.list.map(x, arguments.text + arguments.text) == []'
  for (const text of [nested, doubled, 'arguments.list.all(x, arguments.list == arguments.list)']) {
    assert.equal(outcome(text, values), 'failed', text)
    assert.equal(outcome(`${text} || true`, values), 'failed', text)
    assert.equal(outcome(`[1].exists(one, ${text} || true)`, values), 'failed', text)
  }
  assert.equal(outcome('arguments.text.contains("b")', values), 'fails_to_hold')
  assert.equal(
    outcome('arguments.text.matches("^(a+)+$")', {
      ...values,
      arguments: { text: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaab' },
    }),
    'fails_to_hold',
  )
})

test('what is no program is not linked', () => {
  const deep: unknown = Array.from({ length: 2000 }).reduce((of) => ({ op: 'not', of }), {
    op: 'value',
    value: true,
  })
  for (const program of [
    {},
    { op: 'eval', text: '1' },
    { op: 'name', name: 'process' },
    { op: 'int', digits: '1x' },
    { op: 'call', name: 'constructor', given: [] },
    {
      op: 'call',
      name: 'matches',
      given: [
        { op: 'name', name: 'claims' },
        { op: 'name', name: 'claims' },
      ],
    },
    { op: 'binary', sign: '**', left: { op: 'int', digits: '1' }, right: { op: 'int', digits: '1' } },
    {
      op: 'each',
      macro: 'reduce',
      over: { op: 'list', items: [] },
      name: 'x',
      body: { op: 'name', name: 'x' },
    },
    deep,
  ])
    assert.throws(
      () => toExpression(program as Program, NAMES),
      RangeError,
      JSON.stringify(program).slice(0, 80),
    )
})

test('what the parser of the language takes never throws, whatever the text', () => {
  const parts = [
    'arguments',
    'client.slug',
    '"a"',
    '1',
    '1.5',
    '&&',
    '||',
    '!',
    '(',
    ')',
    '[',
    ']',
    '.',
    ',',
    '?',
    ':',
  ]
  const more = [
    '==',
    '<',
    'in',
    'all(x,',
    'has(',
    'x',
    '-',
    '\n',
    '\\',
    "'",
    'matches("a")',
    '{',
    '}',
    '\u{1f600}',
    'r"',
    '"""',
  ]
  const texts = fc.oneof(
    fc.string({ maxLength: 60, unit: 'binary' }),
    fc.array(fc.constantFrom(...parts, ...more), { maxLength: 20 }).map((all) => all.join(' ')),
  )
  fc.assert(
    fc.property(texts, (text) => {
      const found = read(text)
      if ('program' in found) toExpression(found.program, NAMES).decide(VALUES)
      else assert.ok(found.line >= 1 && found.column >= 1 && found.reason !== '')
    }),
    { numRuns: 1000 },
  )
})

test('conditions that both can evaluate have the value that the reference evaluator gives', () => {
  const peer = new Environment({ homogeneousAggregateLiterals: false })
  for (const name of NAMES) peer.registerVariable(name, 'map<string, dyn>')
  const number = fc.constantFrom(
    '1',
    '5',
    '-2',
    '0.5',
    '5.0',
    'arguments.count',
    'arguments.half',
    'arguments.list[0]',
  )
  const string = fc.constantFrom('"a"', '"dev"', 'client.slug', 'arguments.name', 'user.id', '""')
  const list = fc.constantFrom('arguments.list', 'arguments.tags', 'user.groups', '[1, 2]', '["a"]', '[]')
  const any = fc.oneof(
    number,
    string,
    list,
    fc.constantFrom('arguments.nothing', 'arguments.missing', 'arguments.owner', 'true'),
  )
  const sign = fc.constantFrom('==', '!=', '<', '<=', '>', '>=')
  const { condition } = fc.letrec<{ condition: string; leaf: string }>((tie) => ({
    leaf: fc.oneof(
      fc.tuple(any, fc.constantFrom('==', '!='), any).map((all) => all.join(' ')),
      fc.tuple(number, fc.constantFrom('+', '-', '*', '/'), number, sign, number).map((all) => all.join(' ')),
      fc.tuple(string, sign, string).map((all) => all.join(' ')),
      fc.tuple(any, list).map(([item, whole]) => `${item} in ${whole}`),
      fc
        .tuple(string, fc.constantFrom('contains', 'startsWith', 'endsWith'), string)
        .map(([a, f, b]) => `${a}.${f}(${b})`),
      fc
        .tuple(list, fc.constantFrom('all', 'exists', 'exists_one'), any)
        .map(([a, f, b]) => `${a}.${f}(x, x == ${b})`),
      fc.tuple(list, number).map(([a, b]) => `${a}.filter(x, x != 1).map(x, x == ${b}) == [true]`),
      fc.tuple(any, number).map(([a, b]) => `size(${a}) > ${b}`),
      fc.constantFrom(
        'has(arguments.count)',
        'has(arguments.none)',
        'has(arguments.none.x)',
        'true',
        'false',
      ),
    ),
    condition: fc.oneof(
      { maxDepth: 3 },
      tie('leaf'),
      fc
        .tuple(tie('condition'), fc.constantFrom('&&', '||'), tie('condition'))
        .map(([a, op, b]) => `(${a}) ${op} (${b})`),
      tie('condition').map((a) => `!(${a})`),
      fc
        .tuple(tie('condition'), tie('condition'), tie('condition'))
        .map(([a, b, c]) => `(${a}) ? (${b}) : (${c})`),
    ),
  }))
  let compared = 0
  fc.assert(
    fc.property(condition, (text) => {
      const found = read(text)
      if (!('program' in found)) return
      let expected: Outcome
      try {
        const value: unknown = peer.evaluate(text, VALUES)
        expected = value === true ? 'holds' : value === false ? 'fails_to_hold' : 'failed'
      } catch {
        expected = 'failed'
      }
      compared++
      assert.equal(toExpression(found.program, NAMES).decide(VALUES), expected, text)
    }),
    { numRuns: 2000 },
  )
  assert.ok(compared > 200, `${compared} were compared`)
})
