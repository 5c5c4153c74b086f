import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Environment } from '@marcbachmann/cel-js'
import fc from 'fast-check'
import { ExpressionFailure, toEvaluator } from '../base/expression/expression.ts'
import type { Ambient } from '../base/expression/functions/evaluation.ts'
import { NAMESPACES, VALUE_FUNCTIONS } from '../base/expression/functions/table.ts'
import { conditionReader, valueReader } from './workflow/expression.ts'

const NAMES = ['http', 'call']
const read = valueReader({ http: 'dyn', call: 'dyn' })
const AMBIENT: Ambient = {
  now: () => Date.UTC(2026, 4, 1, 12, 30, 15, 250),
  random: () => 0.42,
  uuid: () => '7f3c1e9a-5b1d-4c52-9d0e-2f6c1a4b8e70',
}
const VALUES = {
  http: {
    name: 'Straße 🐈 7',
    csv: 'a, b,c',
    count: '12',
    list: [3, 1, 2.5, 1],
    words: ['b', 'a', 'b'],
    order: { id: 7, customer: { name: 'Ann', tags: ['x', 'y'] }, none: null },
    json: '{"a":[1,{"b":"c"}]}',
    at: '2026-05-01T10:00:00+02:00',
  },
  call: { status: 200 },
}

function evaluated(
  text: string,
  values: Readonly<Record<string, unknown>> = VALUES,
  ambient = AMBIENT,
): unknown {
  const found = read(text)
  assert.ok('program' in found, `${text}: ${JSON.stringify(found)}`)
  // As a fragment carries it
  const program = JSON.parse(JSON.stringify(found.program)) as typeof found.program
  return toEvaluator(program, NAMES).value(values, ambient)
}

function failureOf(text: string, values: Readonly<Record<string, unknown>> = VALUES): string {
  try {
    evaluated(text, values)
  } catch (error) {
    assert.ok(error instanceof ExpressionFailure, `${text}: ${String(error)}`)
    return error.message
  }
  assert.fail(`${text} has a value`)
}

const EXAMPLES: readonly (readonly [string, unknown])[] = [
  ['"  a b ".trim()', 'a b'],
  ['http.csv.split(",").map(x, x.trim())', ['a', 'b', 'c']],
  ['"a,b,c".split(",", 2)', ['a', 'b,c']],
  ['"a,b".split(",", 0)', []],
  ['"añ🐈".split("")', ['a', 'ñ', '\ud83d', '\udc08']],
  ['["a", "b"].join("-") + ["c"].join()', 'a-bc'],
  ['"a.b.c".replace(".", "/")', 'a/b/c'],
  ['"a.b.c".replace(".", "/", 1)', 'a/b.c'],
  ['"$&".replace("$", "$$")', '$$&'],
  ['http.name.substring(7, 8)', '🐈'],
  ['http.name.substring(9)', '7'],
  ['http.name.indexOf("7")', 9],
  ['http.name.indexOf("8")', -1],
  ['"7".padStart(3, "0") + "|" + "7".padEnd(3) + "|"', '007|7  |'],
  ['"🐈".padEnd(3, "ab")', '🐈ab'],
  ['"abc".reverse()', 'cba'],
  ['math.abs(-2) + math.abs(-0.5)', 2.5],
  ['[math.ceil(1.2), math.floor(1.8), math.trunc(-1.8)]', [2, 1, -1]],
  ['[math.round(1.5), math.round(-1.5), math.round(2.4)]', [2, -2, 2]],
  ['math.greatest(1, 2.5, 2) - math.least(3, 1)', 1.5],
  ['math.random(100)', 42],
  ['http.list.sort()', [1, 1, 2.5, 3]],
  ['http.words.sort()', ['a', 'b', 'b']],
  ['http.list.sum()', 7.5],
  ['[1, 2].sum() + [].sum()', 3],
  ['[http.list.min(), http.list.max()]', [1, 3]],
  ['http.list.distinct() + [1, 1.0, "1", [1], [1.0]].distinct()', [3, 1, 2.5, 1, '1', [1]]],
  ['[http.words.first(), http.list.last()]', ['b', 1]],
  ['http.list.slice(1, 3)', [1, 2.5]],
  ['http.list.reverse()', [1, 2.5, 1, 3]],
  ['[[1, [2]], 3].flatten()', [1, [2], 3]],
  ['[[1, [2, [3]]], 3].flatten(2)', [1, 2, [3], 3]],
  ['http.order.keys()', ['id', 'customer', 'none']],
  ['{"a": 1, "b": [2]}.values()', [1, [2]]],
  ['http.order.get("customer.tags.1")', 'y'],
  ['http.order.get("customer.age", 30)', 30],
  ['http.order.get(["customer", "tags", 0])', 'x'],
  ['http.order.get("none", 1)', null],
  ['http.order.get("a.b.c")', null],
  ['http.order.get("constructor", "no")', 'no'],
  ['http.list.get("length", "no")', 'no'],
  ['http.order.pick(["id", "x"])', { id: 7 }],
  ['http.order.omit(["customer", "none"])', { id: 7 }],
  ['http.order.pick(["id"]).merge({"id": 8, "new": true})', { id: 8, new: true }],
  ['{"a": {"b": 1 + 1}, http.csv: size("ab")}', { a: { b: 2 }, 'a, b,c': 2 }],
  ['string(now())', '2026-05-01T12:30:15.250Z'],
  ['now().format("YYYYMMDD HH:mm:ss.SSS")', '20260501 12:30:15.250'],
  ['timestamp(http.at)', '2026-05-01T08:00:00Z'],
  ['[timestamp(0) + duration("1h30m")]', ['1970-01-01T01:30:00Z']],
  ['timestamp("2026-03-01T00:00:00Z") - duration("24h")', '2026-02-28T00:00:00Z'],
  ['timestamp(90) - timestamp(0)', '90s'],
  ['int(timestamp(http.at))', 1777622400],
  ['timestamp(0) < now() && duration("1h") == duration("60m") && timestamp(0) != timestamp(1)', true],
  ['[now().getFullYear(), now().getMonth(), now().getDate(), now().getDayOfWeek()]', [2026, 4, 1, 5]],
  ['duration("90m").getHours() + duration("-1.5s").getMilliseconds()', -1499],
  ['hash.sha256("a")', 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb'],
  ['hash.sha1("a")', '86f7e437faa5a7fce15d1ddcb9eaeaea377667b8'],
  ['base64.encode("ä?>") + base64url.encode("ä?>")', 'w6Q/Pg==w6Q_Pg'],
  ['base64.decode("w6Q/Pg==") + base64url.decode("w6Q_Pg")', 'ä?>ä?>'],
  ['url.encode("a b/ü&") + url.decode("a%20b")', 'a%20b%2F%C3%BC%26a b'],
  ['uuid()', '7f3c1e9a-5b1d-4c52-9d0e-2f6c1a4b8e70'],
  ['json.parse(http.json).a[1].b', 'c'],
  [
    'json.stringify({"a": [1, 2.5, null, true, timestamp(0)]})',
    '{"a":[1,2.5,null,true,"1970-01-01T00:00:00Z"]}',
  ],
  ['int(http.count) + 1', 13],
  ['double("1.5e1") + int("-2")', 13],
]

test('functions have the values that their documentation names', () => {
  for (const [text, expected] of EXAMPLES) assert.deepEqual(evaluated(text), expected, text)
  for (const name of Object.keys(VALUE_FUNCTIONS))
    assert.ok(
      EXAMPLES.some(([text]) => text.includes(`${name.replace(/^(get)(?=[A-Z]).*/, '$1')}`)),
      `${name} is not among the examples`,
    )
})

test('a call without a value says why', () => {
  for (const [text, reason] of [
    ['[].first()', /an empty list/],
    ['[].max()', /an empty list/],
    ['[1, "a"].sort()', /does not take/],
    ['["a"].sum()', /list of numbers/],
    ['[1].map(x, http.csv).join(http.order)', /does not take/],
    ['"a".substring(2)', /2 is not from 0 to 1/],
    ['"a".replace("", "b")', /needs a text/],
    ['http.order.get([true])', /texts and whole numbers/],
    ['{http.order.id: 1}', /does not take/],
    ['timestamp("2026-05-01")', /RFC 3339/],
    ['timestamp("2026-13-01T00:00:00Z")', /RFC 3339/],
    ['timestamp(1000000000000000)', /from the year 1 to 9999/],
    ['duration("soon")', /1h30m/],
    ['base64.decode("a*")', /base64/],
    ['base64.decode("/w==")', /UTF-8/],
    ['url.decode("%")', /URL-encoded/],
    ['json.parse("{")', /JSON/],
    [`json.parse("${'['.repeat(101)}")`, /100 levels/],
    ['int("1.5")', /whole number/],
    ['double("0x1")', /the text of a number/],
    ['math.random(0)', /0 is not from 1/],
    ['1.0 / 0.0', /not finite/],
    ['now() + http.order.id', /\+ takes/],
  ] as const)
    assert.match(failureOf(text), reason, text)
})

test('types are checked when an expression is read, as far as they are known', () => {
  for (const text of [
    '"a".sum()',
    '[1].join(",")',
    'math.abs("a")',
    'math.sqrt(4)',
    '"a".trim(1)',
    'hash.sha256(1)',
    'hash.hmac("a", "b")',
    '{"a": 1}.first()',
    'now().getFullYear(1)',
    'json.parse(7)',
    '[1].map(math, math)',
    'trim("a")',
    'math',
  ])
    assert.ok('reason' in read(text), text)
  assert.equal(NAMESPACES.join(), 'math,hash,base64,base64url,url,json')
})

test('conditions of capability policies have none of these functions', () => {
  const condition = conditionReader({ http: 'dyn' })
  for (const [text, expected] of EXAMPLES) {
    if (typeof expected === 'number' && /^(int|double)\(/.test(text)) continue
    assert.ok('reason' in condition(`(${text}) == (${text})`), text)
  }
  assert.throws(() => toEvaluator({ op: 'call', name: 'hash.sha256', given: [] }, []), RangeError)
})

test('a variable that is named like a namespace keeps its meaning, and its functions are refused', () => {
  const own = valueReader({ json: 'dyn' })
  const found = own('json.body')
  assert.ok('program' in found)
  assert.equal(toEvaluator(found.program, ['json']).value({ json: { body: 1 } }), 1)
  const fault = own('json.parse("1")')
  assert.ok('reason' in fault && /rename it|no matching overload/.test(fault.reason), JSON.stringify(fault))
  assert.ok('program' in own('math.abs(json.n)'))
})

test('what an expression passes on stays the same object, and nothing that it is given changes', () => {
  const before = JSON.stringify(VALUES)
  assert.equal(evaluated('http.order'), VALUES.http.order)
  assert.equal((evaluated('[http.order, 1]') as unknown[])[0], VALUES.http.order)
  assert.equal(evaluated('http.order.get("customer")'), VALUES.http.order.customer)
  for (const [text] of EXAMPLES) evaluated(text)
  assert.equal(JSON.stringify(VALUES), before)
})

test('members of the prototype are no members, and a name of it is a name like any other', () => {
  for (const text of [
    'http.order.get("__proto__")',
    'http.order.get("toString")',
    'http.order.get("constructor.name")',
  ])
    assert.equal(evaluated(text), null, text)
  const made = evaluated(
    '{"__proto__": {"polluted": 1}}.merge(json.parse("{\\"__proto__\\": {\\"a\\": 1}}"))',
  )
  assert.equal(Object.getPrototypeOf(made), Object.prototype)
  assert.deepEqual(Object.keys(made as object), ['__proto__'])
  assert.equal(({} as { polluted?: unknown }).polluted, undefined)
})

test('every function pays for what it takes and makes', () => {
  const big = {
    http: { text: 'a'.repeat(900_000), many: Array.from({ length: 9000 }, (_, at) => at % 7) },
    call: {},
  }
  for (const text of [
    'http.text.replace("a", "aaaa")',
    'http.text.split("")',
    '"a".padEnd(2000000)',
    '[http.text, http.text].join()',
    'http.text + http.text',
    'url.encode(http.text.replace("a", " "))',
    'json.stringify([http.text, http.text])',
    'http.many.map(x, http.text).join()',
    'http.many.sort()',
    'http.many.map(x, {"a": x}).distinct()',
    '[http.many, http.many, http.many].flatten()',
    `[1]${'.map(x, [x, x])'.repeat(20)}`,
    `http.text.indexOf("b" + http.text)`,
    '[1, 2, 3, 4, 5, 6, 7].map(x, [1, 2, 3, 4, 5, 6, 7].map(y, hash.sha256(http.text)))',
  ])
    assert.match(failureOf(text, big), /too many steps|longer than 1 MiB/, text)
  assert.equal(typeof evaluated('hash.sha256(http.text)', big), 'string')
  assert.equal(failureOf(`[${'['.repeat(20)}1${']'.repeat(20)}].flatten(33)`), '33 is not from 1 to 32')
})

/** Expressions of random shape over all functions. */
const { expression } = fc.letrec<{ expression: string }>((tie) => {
  const leaf = fc.oneof(
    fc.constantFrom(
      'http.name',
      'http.list',
      'http.words',
      'http.order',
      'http.json',
      'http.deep',
      'http.missing',
      'call.status',
      'null',
      'true',
      'now()',
      'uuid()',
      '[]',
      '{}',
      '9223372036854775807',
      '-0.0',
      '1e308',
    ),
    fc.integer({ min: -5, max: 200_000 }).map(String),
    fc.string({ maxLength: 5 }).map((text) => JSON.stringify(text)),
  )
  const call = fc
    .tuple(
      fc.constantFrom(...Object.keys(VALUE_FUNCTIONS), 'size', 'string', 'int', 'double'),
      fc.array(tie('expression'), { minLength: 3, maxLength: 3 }),
      fc.nat(),
    )
    .map(([name, given, draw]) => {
      const takes = VALUE_FUNCTIONS[name]?.takes ?? [1]
      const count = takes[draw % takes.length]!
      const isFree =
        name.includes('.') ||
        ['now', 'uuid', 'timestamp', 'duration', 'size', 'string', 'int', 'double'].includes(name)
      if (isFree) return `${name}(${given.slice(0, count).join(', ')})`
      return `dyn(${given[0]}).${name}(${given.slice(1, count).join(', ')})`
    })
  return {
    expression: fc.oneof(
      { maxDepth: 4 },
      leaf,
      call,
      fc.array(tie('expression'), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
      tie('expression').map((value) => `{"k": ${value}}`),
      fc
        .tuple(tie('expression'), fc.constantFrom('+', '-', '*', '/', '%', '<', '=='), tie('expression'))
        .map(([a, sign, b]) => `dyn(${a}) ${sign} dyn(${b})`),
      fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `dyn(${a}).map(x, ${b})`),
    ),
  }
})

test('no expression throws anything but its failure, changes its inputs, or gives what JSON does not hold', () => {
  const deep: unknown = Array.from({ length: 20_000 }).reduce((inner) => [inner], 1)
  const values = { ...VALUES, http: { ...VALUES.http, deep } }
  const before = JSON.stringify(VALUES)
  let [read_, valued] = [0, 0]
  fc.assert(
    fc.property(expression, (text) => {
      const found = read(text.replaceAll('dyn(', '('))
      if (!('program' in found)) return
      read_++
      try {
        const value = toEvaluator(found.program, NAMES).value(values, AMBIENT)
        valued++
        if (text.includes('deep')) return
        const json = JSON.stringify(value)
        assert.ok(json !== undefined, text)
        assert.deepEqual(JSON.parse(json), value === 0 ? 0 : JSON.parse(JSON.stringify(value)), text)
      } catch (error) {
        assert.ok(error instanceof ExpressionFailure, `${text}: ${String(error)}`)
      }
    }),
    { numRuns: process.env['FUZZ_LONG'] === 'true' ? 200_000 : 5000 },
  )
  assert.equal(JSON.stringify(VALUES), before)
  assert.ok(read_ > 500 && valued > 200, `${read_} were read, ${valued} had a value`)
})

test('functions that the reference evaluator has too give its values', () => {
  const peer = new Environment({ homogeneousAggregateLiterals: false })
  peer.registerVariable('http', 'dyn')
  const text = fc.oneof(
    fc.constantFrom('"a,b,,c"', '" Ab "', '""', 'http.csv', '"añb"', 'http.words.join(",")'),
    fc
      .string({ maxLength: 6, unit: fc.constantFrom('a', 'b', ',', ' ', 'ß') })
      .map((value) => JSON.stringify(value)),
  )
  const number = fc.integer({ min: -1, max: 6 }).map(String)
  const span = fc
    .constantFrom('"1h"', '"1h30m"', '"-1.5s"', '"200ms"', '"0s"', '"90m"')
    .map((value) => `duration(${value})`)
  const time = fc.oneof(
    fc.constantFrom(
      'timestamp("2026-05-01T10:00:00+02:00")',
      'timestamp("1969-12-31T23:59:59.5Z")',
      'timestamp(http.at)',
    ),
    // The reference loses a second of spans that are longer than a hundred years
    fc.integer({ min: -1e9, max: 1e9 }).map((seconds) => `timestamp(${seconds})`),
    fc.tuple(span, fc.constantFrom('+', '-')).map(([by, sign]) => `(timestamp(5000) ${sign} ${by})`),
  )
  const asked = fc.oneof(
    text.map((a) => `${a}.trim()`),
    fc.tuple(text, text).map(([a, b]) => `${a}.split(${b})`),
    fc.tuple(text, text, number).map(([a, b, n]) => `${a}.split(${b}, ${n})`),
    fc.tuple(text, text).map(([a, b]) => `[${a}, ${b}].join(${b}) + [${a}].join()`),
    fc.tuple(text, text).map(([a, b]) => `${a}.indexOf(${b})`),
    fc.tuple(text, number, number).map(([a, m, n]) => `${a}.substring(${m}, ${n})`),
    fc.tuple(text, number).map(([a, n]) => `${a}.substring(${n})`),
    fc.tuple(text, text).map(([a, b]) => `{${a}: 1, "k": ${b}}`),
    fc.tuple(text, text).map(([a, b]) => `${a} in {${b}: 1}`),
    fc.constantFrom('int("12")', 'int("x")', 'double("1.5")', 'double("")', 'int("-7") + 1', 'bool(true)'),
    fc
      .tuple(
        time,
        fc.constantFrom(
          'FullYear',
          'Month',
          'Date',
          'DayOfMonth',
          'DayOfWeek',
          'Hours',
          'Minutes',
          'Seconds',
          'Milliseconds',
        ),
      )
      .map(([at, part]) => `${at}.get${part}()`),
    fc
      .tuple(span, fc.constantFrom('Hours', 'Minutes', 'Seconds', 'Milliseconds'))
      .map(([a, part]) => `${a}.get${part}()`),
    fc.tuple(time, time, fc.constantFrom('<', '>=', '==', '!=')).map(([a, b, sign]) => `${a} ${sign} ${b}`),
    fc.tuple(time, span, time).map(([a, b, c]) => `(${a} + ${b}) > ${c}`),
    fc.tuple(time, time).map(([a, b]) => `(${a} - ${b}).getSeconds()`),
  )
  const plain = (value: unknown): unknown =>
    typeof value === 'bigint'
      ? Number(value)
      : Array.isArray(value)
        ? value.map(plain)
        : value !== null && typeof value === 'object'
          ? Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]))
          : value
  let compared = 0
  fc.assert(
    fc.property(asked, (text) => {
      const found = read(text)
      if (!('program' in found)) return
      let expected: unknown
      let fails = false
      try {
        expected = plain(peer.evaluate(text, VALUES))
      } catch {
        fails = true
      }
      compared++
      if (fails) failureOf(text)
      else assert.deepEqual(evaluated(text), expected, text)
    }),
    { numRuns: 3000 },
  )
  assert.ok(compared > 2000, `${compared} were compared`)
})

test('bytes have no members: what asks for one fails, and never answers that there is none', () => {
  const values = { ...VALUES, call: { body: Buffer.from('{"admin":true}') } }
  for (const text of [
    'call.body.admin',
    'has(call.body.admin)',
    '"admin" in call.body',
    'call.body.get("admin", false)',
    'call.get("body.admin", false)',
    'call.body.keys()',
    'call.body.omit(["admin"])',
    'call.body.pick(["admin"])',
    'call.body.merge({"a": 1})',
    'size(call.body)',
  ])
    assert.notEqual(failureOf(text, values), '', text)
  assert.equal(evaluated('call.body', values), values.call.body)
  assert.equal(evaluated('call.body == call.body', values), true)
})
