import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { openIsolate } from './isolate.ts'
import type { CodeResult, CodeTask } from './port.ts'

let run: (task: CodeTask) => CodeResult
before(async () => {
  run = await openIsolate()
})

const value = (code: string, input: unknown = null): unknown => {
  const result = run({ code, input: JSON.stringify(input) })
  assert.ok(result.ok, `${code}: ${JSON.stringify(result)}`)
  return JSON.parse(result.output)
}
const fault = (code: string): string => {
  const result = run({ code, input: 'null' })
  return result.ok ? `ok ${result.output}` : `${result.fault} ${result.message}`
}

test('a function gets a value and gives one, both as JSON', () => {
  assert.deepEqual(
    value('(input) => ({ total: input.items.reduce((sum, { price }) => sum + price, 0) })', {
      items: [{ price: 2 }, { price: 0.5 }],
    }),
    { total: 2.5 },
  )
  assert.equal(value('function (text) { return text.toUpperCase() }', 'tea'), 'TEA')
  assert.equal(value('() => undefined'), null)
  assert.equal(value('() => new Date(0)'), '1970-01-01T00:00:00.000Z')
  assert.deepEqual(value('({ a }) => [...a].sort()', { a: ['b', 'a'] }), ['a', 'b'])
  assert.deepEqual(
    value('(x) => x', JSON.parse('{"__proto__":{"a":1}}')),
    JSON.parse('{"__proto__":{"a":1}}'),
  )
})

test('what the code does wrong is told in one line', () => {
  assert.equal(fault('(input) => input.a'), "error TypeError: cannot read property 'a' of null")
  assert.equal(fault('() => { throw "a\\nb" }'), 'error a b')
  assert.equal(fault('() => { throw {} }'), 'error it threw a value that is no error')
  assert.equal(fault('42'), 'error the code is no function')
  assert.match(fault('(=>'), /^error SyntaxError/)
  assert.equal(fault('async () => 1'), 'error the code gives a promise; it must give the value itself')
  assert.equal(fault('() => "x".repeat(1100000)'), 'size the value is longer than 1048576 characters of JSON')
  const { message } = run({ code: `() => { throw new Error("${'x'.repeat(5000)}") }`, input: 'null' }) as {
    message: string
  }
  assert.equal(message.length, 200)
})

/** Code, and what its run may come to. A value is what the isolate itself has. */
const ESCAPES: readonly (readonly [code: string, ends: RegExp])[] = [
  // Out of the isolate
  [
    '() => typeof process + typeof require + typeof module + typeof fetch + typeof Worker',
    /^ok "(undefined){5}"$/,
  ],
  ['() => typeof globalThis.constructor.constructor("return typeof process")()', /^ok "string"$/],
  ['() => (() => {}).constructor("return process")()', /^error ReferenceError/],
  ['() => ({}).constructor.constructor("return this.process.env")()', /^error TypeError/],
  ['() => (async () => {}).constructor("return process")().then', /^ok null$/],
  ['() => (function* () {}).constructor("yield process")().next()', /^error ReferenceError/],
  ['() => eval("require(\\"fs\\")")', /^error ReferenceError/],
  ['() => new Function("return WebAssembly")()', /^error ReferenceError/],
  ['() => { import("fs") ; return 1 }', /^ok 1$/],
  ['() => import.meta', /^error SyntaxError/],
  ['() => globalThis.std ?? globalThis.os ?? globalThis.bjson', /^ok null$/],
  [
    '() => Object.getOwnPropertyNames(globalThis).filter((name) => /host|native|wasm|module|memory/i.test(name))',
    /^ok \[\]$/,
  ],
  ['() => { throw new Proxy({}, { get() { throw process } }) }', /^error/],
  ['() => { Error.prepareStackTrace = (error, frames) => frames; return new Error().stack }', /^ok/],
  [
    '() => { const error = new RangeError(); return typeof error.constructor.constructor("return this")().process }',
    /^ok "undefined"$/,
  ],
  // Prototypes
  ['() => { Object.prototype.polluted = 1; return ({}).polluted }', /^ok 1$/],
  ['() => { JSON.stringify = () => "forged"; return { a: 1 } }', /^ok \{"a":1\}$/],
  ['() => { JSON.parse = null; Array.prototype.toJSON = () => "x"; return [1] }', /^ok "x"$/],
  ['() => { Function.prototype.call = null; Symbol.iterator; return 1 }', /^ok 1$/],
  [
    '() => { Object.defineProperty(Object.prototype, "then", { get() { throw 1 } }); return {} }',
    /^(ok|error)/,
  ],
  ['() => { globalThis.kept = 1; return globalThis.kept }', /^ok 1$/],
  ['() => typeof globalThis.kept + typeof ({}).polluted', /^ok "undefinedundefined"$/],
  ['() => { const a = {}; a.__proto__ = null; return a }', /^ok \{\}$/],
  // Time
  ['() => { while (true) {} }', /^time/],
  ['() => { for (;;) { try { for (;;) {} } catch { continue } finally { continue } } }', /^time/],
  ['() => { const loop = () => { try { for (;;) {} } finally { loop() } }; loop() }', /^(time|error)/],
  ['() => /^(a+)+$/.test("a".repeat(50) + "b")', /^time/],
  ['() => /(x+x+)+y/.exec("x".repeat(100))', /^time/],
  ['() => new RegExp("(".repeat(5000) + ")".repeat(5000))', /^(error|memory|time)/],
  ['() => [...Array(1e6).keys()].sort(() => Math.random() - 0.5).length', /^(time|memory)/],
  ['() => ({ toJSON() { for (;;) {} } })', /^time/],
  ['() => ({ get a() { for (;;) {} } })', /^time/],
  ['() => new Proxy({}, { ownKeys() { for (;;) {} } })', /^time/],
  ['() => { function* all() { for (;;) yield 1 } return [...all()] }', /^(time|memory)/],
  ['() => { let text = "x"; for (;;) text = text.split("").reverse().join("") }', /^time/],
  ['() => { const at = Date.now(); while (Date.now() - at < 10_000) {} }', /^time/],
  ['() => { for (let n = 3n; ; n *= n) {} }', /^(time|error|memory)/],
  // Memory
  ['() => { const all = []; for (;;) all.push(new Array(10_000).fill(1)) }', /^(memory|time)/],
  ['() => "x".repeat(2 ** 29)', /^(memory|error)/],
  ['() => new Array(1e9).fill(1)', /^(memory|time)/],
  ['() => new ArrayBuffer(2 ** 31).byteLength', /^(memory|error)/],
  ['() => new Uint8Array(2 ** 30).length', /^(memory|error)/],
  ['() => { let all = { }; for (;;) all = { all, more: new Map([[all, all]]) } }', /^(memory|time)/],
  ['() => { const all = new Set(); for (let at = 0; ; at++) all.add("text " + at) }', /^(memory|time)/],
  ['() => JSON.stringify(Array(1e7).fill("x".repeat(100)))', /^(memory|time)/],
  ['() => 2n ** 1_000_000_000n', /^(memory|error|time)/],
  // Recursion
  ['() => { const down = () => down(); down() }', /^error RangeError/],
  ['() => { const all = []; all.push(all); return all }', /^error TypeError/],
  [
    '() => { let all = []; for (let at = 0; at < 1e5; at++) all = [all]; return all }',
    /^(error|memory|time)/,
  ],
  ['() => { const proxy = new Proxy({}, { get: (_, name) => proxy[name] }); return proxy.a }', /^error/],
  [
    '() => { let text = "a"; for (let at = 0; at < 20_000; at++) text = "(" + text + ")"; return eval(text) }',
    /^(error|memory|time)/,
  ],
  // Hosts
  ['() => new SharedArrayBuffer(8).byteLength', /^(ok 8|error)/],
  ['() => { Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0, 60_000) }', /^(error|time)/],
  ['() => { setTimeout(() => {}, 0) }', /^error ReferenceError/],
  ['() => { queueMicrotask(() => { for (;;) {} }); return 1 }', /^(ok 1|error ReferenceError)/],
  ['() => { Promise.resolve().then(() => { for (;;) {} }); return 1 }', /^ok 1$/],
  ['() => { new FinalizationRegistry(() => { for (;;) {} }).register({}, 1); return 1 }', /^ok 1$/],
]

for (const [code, ends] of ESCAPES)
  test(`an attempt stays within its bounds: ${code}`, async () => {
    let result: CodeResult
    try {
      result = run({ code, input: 'null' })
    } catch {
      // The engine itself gave up: its thread ends with it
      run = await openIsolate()
      result = { ok: false, fault: 'error', message: 'lost' }
    }
    assert.match(result.ok ? `ok ${result.output}` : `${result.fault} ${result.message}`, ends)
    // Whatever it did, the next run sees nothing of it
    assert.equal(
      value('() => typeof globalThis.kept + typeof ({}).polluted + JSON.stringify([1])'),
      'undefinedundefined[1]',
    )
  })

test('there are at least forty attempts', () => {
  assert.ok(ESCAPES.length >= 40, `${ESCAPES.length}`)
})
