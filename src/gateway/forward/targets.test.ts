import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RefusalCode } from '../../base/refusal.ts'
import type { UpstreamFragment, UpstreamRules } from '../../snapshot/fragments.ts'
import { linkUpstream } from '../../snapshot/link/upstream.ts'
import type { LinkedUpstream } from '../../snapshot/linked-types/collection.ts'
import type { Exchange, Routed } from '../exchange.ts'
import {
  answerBegan as beganOf,
  endTarget as endOf,
  goesElsewhere as goesFrom,
  targetChosen,
} from './targets.ts'

const RULES: UpstreamRules = {
  balance: 'round_robin',
  hash_key: 'client',
  retries: 1,
  eject_after: 5,
  eject_ms: 10_000,
  active: null,
  breaker: null,
}

function upstreamOf(weights: readonly number[], rules: Partial<UpstreamRules> = {}): LinkedUpstream {
  const [first, ...others] = weights.map((weight, index) => ({
    scheme: 'http' as const,
    host: '127.0.0.1',
    port: index + 1,
    path: '',
    authority: `127.0.0.1:${index + 1}`,
    weight,
  }))
  const fragment: UpstreamFragment = {
    ...first!,
    others,
    rules: { ...RULES, ...rules },
    host_header: 'target',
    connect_ms: 1,
    first_byte_ms: 1,
    idle_ms: 1,
    pool_max: 1,
  }
  return linkUpstream(fragment, null)
}

/** An exchange whose checks before that of the target have passed. */
function exchangeOf(upstream: LinkedUpstream, now = 1000, method = 'GET', id = 'cli_1'): Routed {
  // The check reads these members alone
  const members: Partial<Record<keyof Exchange, unknown>> = {
    now,
    method,
    ip: '127.0.0.1',
    pass: '',
    identity: { client: { id } },
    outcome: { upstreamAt: 0, upstreamStatus: 0 },
    proxy: { upstream: null },
    collection: { upstream },
    target: null,
    tried: 0,
    trial: 0,
    bodyBytes: 0,
    body: null,
    retries: 0,
    isOver: false,
    stale: null,
  }
  return members as unknown as Routed
}

/** Ends an exchange with the status of its server at a time; 0 for no answer. */
function endTarget(exchange: Exchange, upstreamStatus: number, now: number): void {
  Object.assign(exchange, { lane: { clock: { now: () => now } } })
  exchange.outcome.upstreamStatus = upstreamStatus
  endOf(exchange)
}

/** The head of an answer at a time. */
function answerBegan(exchange: Routed, upstreamStatus: number, now: number): void {
  Object.assign(exchange, { lane: { clock: { now: () => now } } })
  beganOf(exchange, upstreamStatus)
}

/** A failure at a time. @param handed a connection had taken the request */
function goesElsewhere(exchange: Exchange, code: RefusalCode, handed: boolean, now: number): boolean {
  Object.assign(exchange, { lane: { clock: { now: () => now } } })
  exchange.outcome.upstreamAt = handed ? 1 : 0
  return goesFrom(exchange, code)
}

/** Port of the chosen target. */
function chosen(exchange: Routed): number {
  assert.equal(targetChosen(exchange), null)
  return exchange.target!.fragment.port
}

/** Sends one request and lets it end with a status. */
function ask(upstream: LinkedUpstream, status: number, now = 1000, id = 'cli_1'): number {
  const exchange = exchangeOf(upstream, now, 'GET', id)
  const port = chosen(exchange)
  endTarget(exchange, status, now)
  return port
}

test('round robin gives each target its share, evenly spread', () => {
  const upstream = upstreamOf([3, 1, 1])
  const ports = Array.from({ length: 10 }, () => ask(upstream, 200))
  assert.deepEqual(ports, [1, 2, 1, 3, 1, 1, 2, 1, 3, 1])
})

test('least pending asks the target with the fewest requests under way for its weight', () => {
  const upstream = upstreamOf([2, 1], { balance: 'least_pending' })
  const open = Array.from({ length: 9 }, () => exchangeOf(upstream))
  const ports = open.map(chosen)
  assert.equal(ports.filter((port) => port === 1).length, 6)
  for (const exchange of open) if (exchange.target!.fragment.port === 2) endTarget(exchange, 200, 1000)
  assert.equal(chosen(exchangeOf(upstream)), 2)
})

test('equal keys meet one target, by weight, and only those of a target that goes move', () => {
  const upstream = upstreamOf([1, 1, 2], { balance: 'hash' })
  const all = new Map<string, number>()
  for (let index = 0; index < 2000; index++) all.set(`cli_${index}`, ask(upstream, 200, 1000, `cli_${index}`))
  const share = (port: number): number => [...all.values()].filter((one) => one === port).length / all.size
  for (const [port, expected] of [
    [1, 0.25],
    [2, 0.25],
    [3, 0.5],
  ] as const)
    assert.ok(Math.abs(share(port) - expected) < 0.05, `${port}: ${share(port)}`)
  upstream.targets[0]!.state.isDown = true
  for (const [id, port] of all) {
    const now = ask(upstream, 200, 1000, id)
    if (port !== 1) assert.equal(now, port, id)
    else assert.notEqual(now, 1)
  }
})

test('callers that do not send the header of the hash are told apart as clients', () => {
  const upstream = upstreamOf([1, 1], { balance: 'hash', hash_key: 'header:x-tenant' })
  const ports = Array.from({ length: 50 }, (_, index) => ask(upstream, 200, 1000, `cli_${index}`))
  assert.deepEqual(new Set(ports), new Set([1, 2]))
  assert.equal(ask(upstream, 200, 1000, 'cli_7'), ports[7])
})

test('a target that fails five times in a row is left alone for its time, but never the last one', () => {
  const upstream = upstreamOf([1, 1])
  const [first, second] = upstream.targets
  for (let index = 0; index < 8; index++) ask(upstream, 503)
  ask(upstream, 503)
  assert.ok(first!.state.ejectedUntil > 0)
  for (let index = 0; index < 10; index++) assert.equal(ask(upstream, 503, 2000), 2)
  assert.equal(second!.state.ejectedUntil, 0)
  const ports = [ask(upstream, 200, 11_500), ask(upstream, 200, 11_500)]
  assert.deepEqual(ports.sort(), [1, 2])
  assert.equal(first!.state.failures, 0)
})

test('an answer that is no fault of the server ends the row of failures', () => {
  const upstream = upstreamOf([1, 1], { eject_after: 2 })
  for (const status of [502, 404, 504, 500, 503, 200])
    for (let turn = 0; turn < 2; turn++) ask(upstream, status)
  for (const { state } of upstream.targets) assert.deepEqual([state.ejectedUntil, state.pending], [0, 0])
})

test('a request that was not handed over goes to another target once, and never twice to one', () => {
  const upstream = upstreamOf([1, 1, 1], { retries: 2 })
  const exchange = exchangeOf(upstream)
  const ports = [chosen(exchange)]
  while (goesElsewhere(exchange, 'upstream_unreachable', false, 1000))
    ports.push(exchange.target!.fragment.port)
  assert.deepEqual(ports.sort(), [1, 2, 3])
  for (const { state } of upstream.targets) assert.deepEqual([state.pending, state.failures], [0, 1])
})

test('what was handed over, changes things or failed otherwise is not sent again', () => {
  const upstream = upstreamOf([1, 1])
  for (const [method, code, handed] of [
    ['GET', 'upstream_unreachable', true],
    ['POST', 'upstream_unreachable', false],
    ['GET', 'upstream_invalid_response', false],
    ['GET', 'upstream_unavailable', false],
  ] as const) {
    const exchange = exchangeOf(upstream, 1000, method)
    chosen(exchange)
    assert.equal(goesElsewhere(exchange, code, handed, 1000), false, `${method} ${code}`)
    endTarget(exchange, 0, 1000)
  }
  for (const { state } of upstream.targets) assert.equal(state.pending, 0)
})

test('retries are bounded to a fifth of the requests', () => {
  const upstream = upstreamOf([1, 1, 1], { retries: 3, eject_after: 0 })
  let sent = 0
  for (let index = 0; index < 1000; index++) {
    const exchange = exchangeOf(upstream)
    chosen(exchange)
    sent++
    while (goesElsewhere(exchange, 'upstream_unreachable', false, 1000)) sent++
  }
  assert.ok(sent > 1190 && sent <= 1210, String(sent))
})

test('where more than ten requests are under way, all that one server fails at once go elsewhere', () => {
  const upstream = upstreamOf([1, 1])
  const open = Array.from({ length: 64 }, () => exchangeOf(upstream))
  for (const exchange of open) chosen(exchange)
  for (let index = 0; index < 200; index++) ask(upstream, 200)
  const onFirst = open.filter(({ target }) => target!.fragment.port === 1)
  assert.equal(onFirst.length, 32)
  for (const exchange of onFirst) assert.ok(goesElsewhere(exchange, 'upstream_unreachable', false, 1000))
})

test('the breaker opens at its share of errors, lets one request try, and closes when that works', () => {
  const breaker = { errors_percent: 50, requests: 20, window_ms: 10_000, open_ms: 5000 }
  const upstream = upstreamOf([1], { breaker })
  for (let index = 0; index < 19; index++) ask(upstream, index % 2 === 0 ? 503 : 200, 1000)
  ask(upstream, 503, 1000)
  const refusedAt = (now: number): Routed => {
    const exchange = exchangeOf(upstream, now)
    assert.equal(targetChosen(exchange), 'upstream_unavailable')
    return exchange
  }
  assert.equal(refusedAt(2000).retryAfterMs, 4000)
  const trial = exchangeOf(upstream, 6000)
  chosen(trial)
  refusedAt(6000)
  endTarget(trial, 503, 6500)
  refusedAt(11_400)
  assert.equal(ask(upstream, 200, 11_500), 1)
  assert.equal(ask(upstream, 503, 11_500), 1)
  // A trial that never ends does not keep it open
  for (let index = 0; index < 20; index++) ask(upstream, 503, 30_000)
  chosen(exchangeOf(upstream, 35_000))
  refusedAt(39_000)
  chosen(exchangeOf(upstream, 40_000))
  // One that was held up by its checks does not slip through
  refusedAt(38_500)
  // Nor does a clock that is set back keep it open
  chosen(exchangeOf(upstream, -50_000))
})

const BREAKER = { errors_percent: 50, requests: 20, window_ms: 10_000, open_ms: 5000 }

test('failures of one client alone do not close an upstream that answers the others', () => {
  const upstream = upstreamOf([1], { breaker: BREAKER })
  for (let index = 0; index < 5; index++) ask(upstream, 200, 1000, 'cli_2')
  for (let index = 0; index < 100; index++) ask(upstream, 503, 1000, 'cli_1')
  ask(upstream, 200, 1000, 'cli_2')
})

test('where nothing is known of the others, the breaker opens for the client that fails, and its trials hold nobody up', () => {
  const upstream = upstreamOf([1], { breaker: BREAKER })
  for (let index = 0; index < 20; index++) ask(upstream, 503, 1000, 'cli_1')
  assert.equal(targetChosen(exchangeOf(upstream, 1000, 'GET', 'cli_1')), 'upstream_unavailable')
  // Also when it tries again and again, or never ends
  for (const now of [1000, 6000, 11_000, 16_000]) {
    ask(upstream, 200, now, 'cli_2')
    if (now > 1000) ask(upstream, 503, now, 'cli_1')
    assert.equal(targetChosen(exchangeOf(upstream, now, 'GET', 'cli_1')), 'upstream_unavailable')
  }
  chosen(exchangeOf(upstream, 21_000, 'GET', 'cli_1'))
  ask(upstream, 200, 21_000, 'cli_2')
})

test('the breaker opens for all when several clients fail, and a failed trial of one leaves the others theirs', () => {
  const upstream = upstreamOf([1], { breaker: BREAKER })
  const refused = (now: number, id: string) =>
    assert.equal(targetChosen(exchangeOf(upstream, now, 'GET', id)), 'upstream_unavailable')
  for (let index = 0; index < 10; index++) for (const id of ['cli_1', 'cli_2']) ask(upstream, 503, 1000, id)
  for (const id of ['cli_1', 'cli_2', 'cli_3']) refused(2000, id)
  ask(upstream, 503, 6000, 'cli_1')
  refused(6000, 'cli_1')
  ask(upstream, 200, 6000, 'cli_2')
  ask(upstream, 200, 6000, 'cli_1')

  const down = upstreamOf([1], { breaker: BREAKER })
  // One after the other: the second makes it two
  for (const id of ['cli_1', 'cli_2']) for (let index = 0; index < 20; index++) ask(down, 503, 1000, id)
  assert.equal(targetChosen(exchangeOf(down, 1000, 'GET', 'cli_3')), 'upstream_unavailable')
})

test('a trial whose caller leaves, or that finds no healthy target, makes room for the next one', () => {
  const breaker = { errors_percent: 50, requests: 1, window_ms: 10_000, open_ms: 5000 }
  const upstream = upstreamOf([1], { breaker })
  ask(upstream, 503, 1000)
  const left = exchangeOf(upstream, 6000)
  chosen(left)
  endTarget(left, 0, 6100)
  upstream.targets[0]!.state.isDown = true
  assert.equal(targetChosen(exchangeOf(upstream, 6200)), 'upstream_unavailable')
  upstream.targets[0]!.state.isDown = false
  chosen(exchangeOf(upstream, 6300))
  assert.equal(targetChosen(exchangeOf(upstream, 6400)), 'upstream_unavailable')
})

test('what was sent before the breaker opened does not close it while another tries', () => {
  const breaker = { errors_percent: 50, requests: 1, window_ms: 10_000, open_ms: 5000 }
  const upstream = upstreamOf([1], { breaker })
  const late = [exchangeOf(upstream, 900), exchangeOf(upstream, 900)]
  for (const exchange of late) chosen(exchange)
  ask(upstream, 503, 1000)
  const trial = exchangeOf(upstream, 6000)
  chosen(trial)
  endTarget(late[0]!, 200, 6100)
  assert.equal(targetChosen(exchangeOf(upstream, 6200)), 'upstream_unavailable')
  endTarget(late[1]!, 503, 6300)
  endTarget(trial, 200, 6400)
  assert.equal(ask(upstream, 200, 6500), 1)
})

test('the head of its answer decides a trial, however long the caller takes for the rest', () => {
  const breaker = { errors_percent: 50, requests: 1, window_ms: 10_000, open_ms: 5000 }
  const upstream = upstreamOf([1], { breaker })
  ask(upstream, 503, 1000)
  const failing = exchangeOf(upstream, 6000)
  chosen(failing)
  answerBegan(failing, 503, 6100)
  assert.equal(targetChosen(exchangeOf(upstream, 11_000)), 'upstream_unavailable')
  const trial = exchangeOf(upstream, 11_100)
  chosen(trial)
  answerBegan(trial, 200, 11_200)
  assert.equal(ask(upstream, 200, 11_200), 1)
  // Their ends count no second time
  endTarget(failing, 503, 11_300)
  endTarget(trial, 503, 11_300)
  assert.deepEqual([upstream.state.openedAt, upstream.state.requests], [0, 1])
  assert.equal(upstream.targets[0]!.state.pending, 0)
})

test('a trial whose caller still sends its body keeps no request without one waiting, and others for a second', () => {
  const breaker = { errors_percent: 50, requests: 1, window_ms: 10_000, open_ms: 5000 }
  const sending = (now: number): Routed => {
    const exchange = exchangeOf(upstream, now, 'POST')
    return Object.assign(exchange, { bodyBytes: -1 })
  }
  const upstream = upstreamOf([1], { breaker })
  ask(upstream, 503, 1000)
  const slow = [sending(6000)]
  chosen(slow[0]!)
  assert.equal(targetChosen(sending(6999)), 'upstream_unavailable')
  slow.push(sending(7000))
  chosen(slow[1]!)
  const bodiless = exchangeOf(upstream, 7001)
  chosen(bodiless)
  // Now the upstream itself is what is waited for
  assert.equal(targetChosen(exchangeOf(upstream, 7002)), 'upstream_unavailable')
  assert.equal(targetChosen(sending(9000)), 'upstream_unavailable')
  answerBegan(bodiless, 200, 9000)
  assert.equal(ask(upstream, 200, 9000), 1)
  // With a body that is whole at hand it is a request like any other
  ask(upstream, 503, 20_000)
  chosen(Object.assign(sending(25_000), { body: new Uint8Array(1) }))
  assert.equal(targetChosen(exchangeOf(upstream, 25_001)), 'upstream_unavailable')
})

test('an earlier trial counts while a later one is under way, and one of an earlier opening does not', () => {
  const breaker = { errors_percent: 50, requests: 1, window_ms: 10_000, open_ms: 5000 }
  const upstream = upstreamOf([1], { breaker })
  ask(upstream, 503, 1000)
  const trials = [6000, 11_000, 16_000].map((now) => exchangeOf(upstream, now))
  for (const trial of trials) chosen(trial)
  endTarget(trials[1]!, 503, 16_500)
  endTarget(trials[0]!, 200, 16_600)
  endTarget(trials[2]!, 200, 16_700)
  assert.equal(targetChosen(exchangeOf(upstream, 21_000)), 'upstream_unavailable')
  const [first, second] = [21_500, 26_500].map((now) => exchangeOf(upstream, now))
  chosen(first!)
  chosen(second!)
  endTarget(first!, 200, 26_600)
  assert.equal(ask(upstream, 200, 26_700), 1)
})

test('a request that another server has answered is no error for the breaker', () => {
  const breaker = { errors_percent: 30, requests: 20, window_ms: 10_000, open_ms: 5000 }
  const upstream = upstreamOf([1, 1], { breaker, eject_after: 0 })
  for (let index = 0; index < 30; index++) {
    const exchange = exchangeOf(upstream)
    if (chosen(exchange) === 1) assert.ok(goesElsewhere(exchange, 'upstream_unreachable', false, 1000))
    endTarget(exchange, 200, 1000)
  }
  assert.deepEqual([upstream.state.openedAt, upstream.state.errors], [0, 0])
})

test('too few requests, or errors spread over several windows, open no breaker', () => {
  const breaker = { errors_percent: 50, requests: 20, window_ms: 10_000, open_ms: 5000 }
  const upstream = upstreamOf([1], { breaker })
  for (let index = 0; index < 200; index++) ask(upstream, 503, index * 1000)
  assert.equal(upstream.state.openedAt, 0)
})
