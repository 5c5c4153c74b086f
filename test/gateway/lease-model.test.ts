/**
 * Nodes that count limits together in a real server, in time that is moved by hand. An oracle looks at every trailing window over all
 * admissions of all nodes.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { createCounterMemory, openCounterTables } from '../../src/gateway/admit/counter-memory.ts'
import { createCounters } from '../../src/gateway/admit/counters.ts'
import { createLeaseDesk } from '../../src/gateway/admit/lease-desk.ts'
import { LEASE_SCRIPTS } from '../../src/gateway/admit/lease-scripts.ts'
import { type LimitPlan, planLimit, toPlan } from '../../src/snapshot/find/limit-plan.ts'
import type { LimitFragment, PolicyFragment } from '../../src/snapshot/fragments.ts'
import { linkLimit } from '../../src/snapshot/link/small-kinds.ts'
import type { ScriptCall, Valkey } from '../../src/store/ports/valkey.ts'
import { openValkey } from '../../src/store/valkey/valkey.ts'
import { eventually } from '../support/eventually.ts'
import { NO_VALKEY, startValkey, type TestValkey, valkeyAddress } from '../support/valkey.ts'

const KEY = { low: 77, high: 99 }
const START_MS = 1_780_000_000_000
const NODES = 3
const RUNS = 60

/** What the nodes share: the time, and the server with what it forgets. */
class World {
  nowMs = START_MS
  era = 'first'
  /** Of the clock of the server. */
  serverSkewMs = 0
  readonly #valkey: Valkey
  /** When the keys end, in the time of the world. */
  readonly #ends = new Map<string, number>()
  readonly #cli: TestValkey['cli']

  constructor(valkey: Valkey, cli: TestValkey['cli']) {
    this.#valkey = valkey
    this.#cli = cli
  }

  async run(calls: readonly ScriptCall[]) {
    for (const [key, endMs] of this.#ends)
      if (endMs <= this.nowMs) {
        this.#ends.delete(key)
        this.#cli('DEL', key)
      }
    const answers = await this.#valkey.run(calls, 5000)
    const lives = await this.#valkey.run(
      calls.map(({ keys }) => ({ script: 'life', keys, args: [] })),
      5000,
    )
    for (const [index, { keys }] of calls.entries()) {
      const leftMs = Number(lives[index]![0])
      if (leftMs > 0) this.#ends.set(keys[0]!, this.nowMs + leftMs)
    }
    return answers
  }

  /** The server loses all its data. */
  lose(): void {
    this.#cli('FLUSHALL')
    this.#ends.clear()
    this.era = `${this.era}'`
  }
}

/** One node: its own memory, clock and connection. */
class Node {
  readonly #world: World
  readonly #name: string
  readonly #skewMs: number
  isCutOff = false
  losesAnswer = false
  /** So many questions fail before they reach the server. */
  failing = 0
  #counters!: ReturnType<typeof createCounters>
  #desk!: ReturnType<typeof createLeaseDesk>
  /** When it last counted by itself. */
  lastDownMs = Number.NEGATIVE_INFINITY

  readonly #entries: number

  constructor(world: World, name: string, skewMs: number, entries = 64) {
    this.#entries = entries
    this.#world = world
    this.#name = name
    this.#skewMs = skewMs
    this.crash()
  }

  get now(): number {
    return this.#world.nowMs + this.#skewMs
  }

  get isUp(): boolean {
    return this.#counters.leaseState === 'up'
  }

  /** Forgets everything. */
  crash(): void {
    const world = this.#world
    const memory = createCounterMemory(this.#entries, true)
    this.#counters = createCounters(memory, 0)
    this.#counters.setNodes(NODES)
    this.#counters.setLeaseState('down')
    const isCutOff = (): boolean => this.isCutOff
    this.#desk = createLeaseDesk({
      tables: openCounterTables(memory, 1),
      valkey: {
        get isUp() {
          return !isCutOff()
        },
        get era() {
          return world.era
        },
        run: async (calls) => {
          const lost = new Error('no answer')
          if (this.isCutOff || this.failing-- > 0) throw lost
          const answers = await world.run(calls)
          if (this.losesAnswer) {
            this.losesAnswer = false
            throw lost
          }
          return answers
        },
      },
      clock: { now: () => this.now },
      node: `${this.#name}:${Math.random()}`,
      installation: 'test',
      serverTime: () => world.nowMs + world.serverSkewMs,
      fault: () => {},
    })
  }

  take(plan: LimitPlan): number | 'ask' {
    return this.#counters.take(plan, this.now)
  }

  held(plan: LimitPlan): number {
    return this.#counters.read(plan.limits[0]!, this.now)?.held ?? 0
  }

  serve(): Promise<void> {
    return this.#desk.serve()
  }

  tick(): Promise<void> {
    return this.#desk.tick()
  }

  /** One request; true when it is admitted. */
  async call(whole: LimitPlan): Promise<boolean> {
    return (await this.begin(whole)) !== null
  }

  /** One request that ends when the answer is called with its status; null when it is refused. */
  async begin(whole: LimitPlan): Promise<((status: number) => void) | null> {
    for (let asks = 0; ; asks++) {
      const plan = this.#counters.partOf(whole)
      const refused = this.#counters.take(plan, this.now, asks >= 3)
      if (refused === -1) {
        const counters = this.#counters
        const held = counters.hold(plan)
        return (status) => counters.release(held, status)
      }
      if (refused !== 'ask') return null
      await this.#desk.serve()
    }
  }
}

function planOf(limit: Partial<LimitFragment>, policy: Partial<PolicyFragment> = {}, key = KEY): LimitPlan {
  const fragment = { name: 'limit', kind: 'rate', max: 10, window_ms: 1000, ...limit } as LimitFragment
  const of = {
    kind: 'policy',
    id: 'pol',
    slug: 'pol',
    active: true,
    limits: [fragment],
    ...policy,
  } as PolicyFragment
  return toPlan([planLimit(linkLimit(of, fragment), 'client', key, key)])
}

type Step =
  | { readonly kind: 'calls'; readonly node: number; readonly count: number }
  | { readonly kind: 'pass'; readonly ms: number }
  /** So much of the window that units, slots or the window end just then, or a moment before. */
  | {
      readonly kind: 'pass_until'
      readonly end: 'life' | 'slot' | 'window' | 'window_and_life'
      readonly byMs: number
    }
  | { readonly kind: 'crash' | 'lose_answer' | 'cut' | 'heal'; readonly node: number }
  | { readonly kind: 'data_lost' }
  | { readonly kind: 'drain' }
  | { readonly kind: 'server_set_back'; readonly ms: number }

const node = fc.nat(NODES - 1)
const calls = fc.record({ kind: fc.constant('calls' as const), node, count: fc.integer({ min: 1, max: 12 }) })
const pass = fc.record({
  kind: fc.constant('pass' as const),
  ms: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 1500 })),
})
/** Times at which a count that ends too early, or a use that ends too late, is seen. */
const passUntil = fc.record({
  kind: fc.constant('pass_until' as const),
  end: fc.constantFrom('life' as const, 'slot' as const, 'window' as const, 'window_and_life' as const),
  byMs: fc.integer({ min: -2, max: 2 }),
})
/** As many calls as are admitted, at each node. */
const drain = fc.constant({ kind: 'drain' as const })
const faultOf = <K extends 'crash' | 'lose_answer' | 'cut' | 'heal'>(kind: K) =>
  fc.record({ kind: fc.constant(kind), node })
const limits = fc.record({
  max: fc.integer({ min: 1, max: 40 }),
  window_ms: fc.constantFrom(1000, 2000, 10_000),
  cost: fc.constant(1),
})
const skews = fc.array(fc.integer({ min: -5000, max: 5000 }), { minLength: NODES, maxLength: NODES })

interface Admitted {
  readonly atMs: number
  readonly node: number
}

function lengthOf({ limits }: LimitPlan, end: 'life' | 'slot' | 'window' | 'window_and_life'): number {
  const { windowMs, slotMs } = limits[0]!.limit
  const lifeMs = Math.max(100, windowMs / 20)
  return { life: lifeMs, slot: slotMs, window: windowMs, window_and_life: windowMs - lifeMs }[end]
}

/** Plays the steps; `judge` sees each admission with all before it. */
async function play(
  world: World,
  plan: LimitPlan,
  skewsMs: readonly number[],
  steps: readonly Step[],
  judge: (admitted: readonly Admitted[], nodes: readonly Node[]) => void,
): Promise<readonly Admitted[]> {
  const nodes = skewsMs.map((skewMs, index) => new Node(world, `n${index}`, skewMs))
  for (const one of nodes) await one.tick()
  const admitted: Admitted[] = []
  for (const step of steps) {
    switch (step.kind) {
      case 'calls':
        for (let i = 0; i < step.count; i++)
          if (await nodes[step.node]!.call(plan)) {
            admitted.push({ atMs: world.nowMs, node: step.node })
            judge(admitted, nodes)
          }
        break
      case 'drain':
        for (const [node, one] of nodes.entries())
          while (await one.call(plan)) {
            admitted.push({ atMs: world.nowMs, node })
            judge(admitted, nodes)
          }
        break
      case 'pass':
      case 'pass_until':
        world.nowMs += step.kind === 'pass' ? step.ms : Math.max(1, lengthOf(plan, step.end) + step.byMs)
        for (const one of nodes) await one.tick()
        break
      case 'crash':
        nodes[step.node]!.crash()
        await nodes[step.node]!.tick()
        break
      case 'lose_answer':
        nodes[step.node]!.losesAnswer = true
        break
      case 'cut':
      case 'heal':
        nodes[step.node]!.isCutOff = step.kind === 'cut'
        await nodes[step.node]!.tick()
        break
      case 'server_set_back':
        world.serverSkewMs -= step.ms
        break
      case 'data_lost':
        world.lose()
        for (const one of nodes) await one.tick()
    }
    for (const one of nodes) if (!one.isUp) one.lastDownMs = world.nowMs
  }
  return admitted
}

describe('limits that nodes count together', { skip: NO_VALKEY }, () => {
  let server: TestValkey
  let valkey: Valkey

  before(async () => {
    server = await startValkey()
    valkey = openValkey({
      address: valkeyAddress(`redis://127.0.0.1:${server.port}`),
      scripts: { ...LEASE_SCRIPTS, life: `return {redis.call('PTTL', KEYS[1])}` },
      log: () => {},
    })
    await eventually(() => valkey.isUp)
  })
  after(async () => {
    await valkey?.close()
    await server?.[Symbol.asyncDispose]()
  })
  const worldOf = (): World => {
    server.cli('FLUSHALL')
    return new World(valkey, server.cli)
  }
  const inWindow = (admitted: readonly Admitted[], windowMs: number): number => {
    const last = admitted.at(-1)!.atMs
    return admitted.filter(({ atMs }) => atMs > last - windowMs).length
  }

  test('no trailing window has more than max over all nodes, whatever nodes crash and however far their clocks are apart', async () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 6, arbitrary: calls },
        { weight: 3, arbitrary: pass },
        { weight: 5, arbitrary: passUntil },
        { weight: 3, arbitrary: drain },
        faultOf('crash'),
      ),
      { minLength: 20, maxLength: 150 },
    )
    let total = 0
    await fc.assert(
      fc.asyncProperty(limits, fc.boolean(), skews, steps, async (limit, exact, skewsMs, all) => {
        const plan = planOf(limit, exact ? { exact: true } : {})
        const admitted = await play(worldOf(), plan, skewsMs, all, (so) =>
          assert.ok(
            inWindow(so, limit.window_ms) <= limit.max,
            `${inWindow(so, limit.window_ms)} of ${limit.max}`,
          ),
        )
        total += admitted.length
      }),
      { numRuns: RUNS },
    )
    assert.ok(total > 500, `only ${total} were admitted, which proves little`)
  })

  test('a clock of the server that is set back admits no more, and after a window as much as before', async () => {
    const back = fc.record({
      kind: fc.constant('server_set_back' as const),
      ms: fc.integer({ min: 1, max: 40_000 }),
    })
    const steps = fc.array(fc.oneof({ weight: 6, arbitrary: calls }, { weight: 5, arbitrary: pass }, back), {
      minLength: 20,
      maxLength: 80,
    })
    await fc.assert(
      fc.asyncProperty(limits, skews, steps, async (limit, skewsMs, all) => {
        const world = worldOf()
        const begun = await play(world, planOf(limit), skewsMs, all, (so) =>
          assert.ok(
            inWindow(so, limit.window_ms) <= limit.max,
            `${inWindow(so, limit.window_ms)} of ${limit.max}`,
          ),
        )
        const later: Step[] = [{ kind: 'pass', ms: limit.window_ms * 2 + 6000 }]
        later.push({ kind: 'calls', node: 0, count: 1 })
        assert.equal(
          (await play(world, planOf(limit), [0, 0, 0], later, () => {})).length,
          1,
          `after ${begun.length}`,
        )
      }),
      { numRuns: RUNS },
    )
  })

  test('what could not be told after a loss of data is told again, also to a server that was replaced meanwhile', async () => {
    const limit = { max: 6, window_ms: 10_000 }
    const plan = planOf(limit)
    const world = worldOf()
    const [one, other] = [new Node(world, 'a', 0), new Node(world, 'b', 0)]
    for (const node of [one, other]) await node.tick()
    for (let i = 0; i < 6; i++) assert.ok(await one.call(plan))
    world.lose()
    one.failing = 2
    const pass = async (ms: number): Promise<void> => {
      for (let leftMs = ms; leftMs > 0; leftMs -= 1000) {
        world.nowMs += Math.min(1000, leftMs)
        await one.tick()
        await other.tick()
      }
    }
    await one.tick()
    await pass(2000)
    assert.equal(one.isUp, false)
    world.lose()
    await pass(3500)
    assert.deepEqual([one.isUp, other.isUp], [true, true])
    assert.equal(await one.call(plan), false)
    assert.equal(await other.call(plan), false, 'it hears of what the other one has counted')
  })

  test('units may be used until their life ends, and count for a whole window after their last use', async () => {
    const limit = { max: 20, window_ms: 10_000 }
    const plan = planOf(limit)
    const lifeMs = lengthOf(plan, 'life')
    for (const lateMs of [-1, 0]) {
      const world = worldOf()
      const [one, other] = [new Node(world, 'a', 0), new Node(world, 'b', 0)]
      for (const node of [one, other]) await node.tick()
      for (let i = 0; i < 6; i++) {
        world.nowMs += 10
        await one.call(plan)
      }
      await one.serve()
      const heldUnits = one.held(plan)
      assert.ok(heldUnits > 0)
      world.nowMs += lifeMs + lateMs
      let used = 0
      while (one.take(plan) === -1) used++
      assert.equal(used, lateMs < 0 ? heldUnits : 0)
      world.nowMs += limit.window_ms - 1
      await other.tick()
      while (await other.call(plan)) used++
      assert.ok(used > 10 && used <= limit.max, `${used} of ${limit.max}`)
    }
  })

  test('a lease from before a loss of data is not used after it', async () => {
    const world = worldOf()
    const plan = planOf({ max: 60, window_ms: 100_000 })
    const [one, other] = [new Node(world, 'a', 0), new Node(world, 'b', 0)]
    for (const node of [one, other]) await node.tick()
    let total = 0
    for (let i = 0; i < 12; i++) {
      world.nowMs += 20
      if (await one.call(plan)) total++
    }
    await one.serve()
    assert.ok(one.held(plan) > 0, 'it holds units that it has not used')
    world.lose()
    for (let i = 0; i < 3; i++) {
      await one.tick()
      await other.tick()
      world.nowMs += 1000
    }
    await one.tick()
    await other.tick()
    assert.deepEqual([one.isUp, other.isUp], [true, true])
    for (const node of [one, other]) while (await node.call(plan)) total++
    assert.ok(total <= 60, `${total} of 60`)
  })

  test('a server that refuses calls is tried again after one second, then after two, and so on', async () => {
    const world = worldOf()
    const one = new Node(world, 'a', 0)
    await one.tick()
    const plan = planOf({ max: 3, window_ms: 1000 })
    one.failing = Number.POSITIVE_INFINITY
    const states: boolean[] = []
    for (let i = 0; i < 8; i++) {
      await one.call(plan)
      world.nowMs += 1000
      await one.tick()
      states.push(one.isUp)
    }
    assert.deepEqual(states, [true, false, true, false, false, false, true, false])
  })

  test('each node that cannot reach the server, or lost an answer of it, adds at most its part of max', async () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 6, arbitrary: calls },
        { weight: 5, arbitrary: pass },
        faultOf('cut'),
        faultOf('heal'),
        faultOf('lose_answer'),
      ),
      { minLength: 20, maxLength: 120 },
    )
    await fc.assert(
      fc.asyncProperty(limits, skews, steps, async (limit, skewsMs, all) => {
        const part = Math.ceil(limit.max / NODES)
        await play(worldOf(), planOf(limit), skewsMs, all, (so, nodes) => {
          const atMs = so.at(-1)!.atMs
          const alone = nodes.filter((one) => !one.isUp || one.lastDownMs > atMs - limit.window_ms).length
          const bound = limit.max + alone * part
          assert.ok(inWindow(so, limit.window_ms) <= bound, `${inWindow(so, limit.window_ms)} of ${bound}`)
        })
      }),
      { numRuns: RUNS },
    )
  })

  test('a server that has lost its data counts again what nodes have counted: each adds at most its part, within one window', async () => {
    const world = worldOf()
    const lostAt = world.nowMs
    const limit = { max: 30, window_ms: 10_000 }
    const steps: Step[] = [
      { kind: 'calls', node: 0, count: 12 },
      { kind: 'calls', node: 1, count: 12 },
    ]
    steps.push({ kind: 'data_lost' })
    for (let i = 0; i < 30; i++) {
      steps.push({ kind: 'pass', ms: 100 }, { kind: 'calls', node: i % NODES, count: 3 })
    }
    for (let i = 0; i < 60; i++)
      steps.push({ kind: 'pass', ms: 500 }, { kind: 'calls', node: i % NODES, count: 3 })
    let later = 0
    await play(world, planOf(limit), [0, 0, 0], steps, (so) => {
      const isLater = world.nowMs > lostAt + limit.window_ms + 3000
      const bound = isLater ? limit.max : limit.max + (NODES - 1) * Math.ceil(limit.max / NODES)
      if (isLater) later++
      assert.ok(inWindow(so, limit.window_ms) <= bound, `${inWindow(so, limit.window_ms)} of ${bound}`)
    })
    assert.ok(later > limit.max, `only ${later} were admitted later`)
  })

  test('a bucket admits at most its burst and what was refilled in any window, over all nodes', async () => {
    const steps = fc.array(
      fc.oneof({ weight: 6, arbitrary: calls }, { weight: 5, arbitrary: pass }, faultOf('crash')),
      {
        minLength: 20,
        maxLength: 120,
      },
    )
    const buckets = fc.record({
      max: fc.integer({ min: 1, max: 4000 }),
      window_ms: fc.constantFrom(1000, 10_000),
      burst: fc.integer({ min: 1, max: 60 }),
    })
    await fc.assert(
      fc.asyncProperty(buckets, skews, steps, async (limit, skewsMs, all) => {
        // Where the burst is smaller than what is refilled meanwhile
        const refilledMost = Math.ceil((limit.max * 10) / limit.window_ms)
        const beyond = limit.burst <= refilledMost ? refilledMost : 0
        await play(worldOf(), planOf(limit), skewsMs, all, (so) => {
          const last = so.at(-1)!.atMs
          for (let first = 0; first < so.length; first++) {
            const passedMs = last - so[first]!.atMs
            const bound = limit.burst + beyond + Math.floor((passedMs * limit.max) / limit.window_ms)
            assert.ok(so.length - first <= bound, `${so.length - first} of ${bound} in ${passedMs} ms`)
          }
        })
      }),
      { numRuns: RUNS },
    )
  })

  test('no more calls than max are under way at once over all nodes that can reach the server', async () => {
    const steps = fc.array(
      fc.record({ node, ends: fc.boolean(), ms: fc.integer({ min: 0, max: 2500 }), crashes: fc.nat(30) }),
      { minLength: 20, maxLength: 150 },
    )
    let most = 0
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), skews, steps, async (max, skewsMs, all) => {
        const world = worldOf()
        const plan = planOf({ kind: 'concurrency', max, window_ms: 0 })
        const nodes = skewsMs.map((skewMs, index) => new Node(world, `n${index}`, skewMs))
        for (const one of nodes) await one.tick()
        const underWay: ((status: number) => void)[][] = nodes.map(() => [])
        for (const step of all) {
          const own = underWay[step.node]!
          if (step.crashes === 0) {
            // Its calls end with it
            own.length = 0
            nodes[step.node]!.crash()
            await nodes[step.node]!.tick()
          } else if (step.ends) own.pop()?.(200)
          else {
            const end = await nodes[step.node]!.begin(plan)
            if (end !== null) own.push(end)
          }
          const total = underWay.reduce((sum, { length }) => sum + length, 0)
          most = Math.max(most, total / max)
          assert.ok(total <= max, `${total} of ${max}`)
          // The desk looks once a second
          for (let leftMs = step.ms; leftMs > 0; leftMs -= 1000) {
            world.nowMs += Math.min(1000, leftMs)
            for (const one of nodes) await one.tick()
          }
        }
      }),
      { numRuns: RUNS },
    )
    assert.equal(most, 1, 'all places were in use at some time')
  })

  /** Two nodes with more callers than places, whose calls last 200 ms; what each has under way at each step of 50 ms. */
  async function saturate(
    max: number,
    seconds: number,
    before: (nodes: readonly Node[], plan: LimitPlan) => Promise<void>,
  ) {
    const world = worldOf()
    const plan = planOf({ kind: 'concurrency', max, window_ms: 0 })
    const nodes = [new Node(world, 'a', 0), new Node(world, 'b', 0)]
    for (const one of nodes) await one.tick()
    const calls: { end: (status: number) => void; endsAt: number }[][] = [[], []]
    const begin = async (index: number): Promise<void> => {
      const end = await nodes[index]!.begin(plan)
      if (end !== null) calls[index]!.push({ end, endsAt: world.nowMs + 200 })
    }
    await before(nodes, plan)
    const steps: (readonly [number, number])[] = []
    for (let step = 0; step < seconds * 20; step++) {
      for (const [index, own] of calls.entries()) {
        for (const one of own.splice(0)) {
          if (one.endsAt <= world.nowMs) one.end(200)
          else own.push(one)
        }
        for (let i = 0; i < 10; i++) await begin(index)
      }
      steps.push([calls[0]!.length, calls[1]!.length])
      world.nowMs += 50
      if (step % 20 === 19) for (const one of nodes) await one.tick()
    }
    return steps
  }

  test('what nodes admitted by themselves while they could not ask is worked off, under whatever load', async () => {
    const begun: ((status: number) => void)[] = []
    const steps = await saturate(5, 8, async (nodes, plan) => {
      for (let i = 0; i < 5; i++) begun.push((await nodes[0]!.begin(plan))!)
      nodes[1]!.isCutOff = true
      await nodes[1]!.tick()
      for (let i = 0; i < 2; i++) begun.push((await nodes[1]!.begin(plan))!)
      nodes[1]!.isCutOff = false
      await nodes[1]!.tick()
      for (const end of begun) end(200)
    })
    const sums = steps.map(([a, b]) => a + b)
    assert.ok(Math.max(...sums.slice(-100)) <= 5, sums.join(' '))
    assert.ok(Math.max(...sums.slice(-100)) >= 4, sums.join(' '))
  })

  for (const max of [1, 5])
    test(`no node has all places of ${max} while the other one waits`, async () => {
      const steps = await saturate(max, 30, async () => {})
      const total = (index: 0 | 1): number => steps.reduce((sum, step) => sum + step[index], 0)
      const [a, b] = [total(0), total(1)]
      assert.ok(Math.min(a, b) * 4 > Math.max(a, b), `${a} and ${b}`)
      assert.ok(steps.every((step) => step[0] + step[1] <= max))
      const used = (a + b) / steps.length / max
      assert.ok(used > 0.6, `${used} of the places were used`)
    })

  test('places that a node does not need are free for the others after a second or two', async () => {
    const world = worldOf()
    const plan = planOf({ kind: 'concurrency', max: 6, window_ms: 0 })
    const [first, second] = [new Node(world, 'a', 0), new Node(world, 'b', 0)]
    await first.tick()
    await second.tick()
    const begun = await Promise.all([1, 2, 3, 4].map(() => first.begin(plan)))
    for (const end of begun) end?.(200)
    for (let i = 0; i < 4; i++) {
      world.nowMs += 1000
      await first.tick()
      await second.tick()
    }
    for (let i = 0; i < 6; i++) assert.ok(await second.call(plan), `call ${i}`)
    assert.equal(await second.call(plan), false)
  })

  test('all counters that are asked for at once are served, also beyond one batch', async () => {
    const world = worldOf()
    const one = new Node(world, 'a', 0, 4096)
    await one.tick()
    const plans = Array.from({ length: 1200 }, (_, index) =>
      planOf({ max: 2 }, {}, { low: 1000 + index, high: 7 }),
    )
    const refused = plans.map((plan) => one.take(plan))
    assert.equal(refused.filter((answer) => answer === 'ask').length, plans.length)
    await one.serve()
    assert.ok(plans.every((plan) => one.take(plan) === -1))
  })

  test('calls that do not count for their status leave room for others', async () => {
    const world = worldOf()
    const plan = planOf({ max: 3, window_ms: 10_000, count: [[200, 299]] })
    const one = new Node(world, 'a', 0)
    await one.tick()
    for (let i = 0; i < 12; i++) {
      const end = await one.begin(plan)
      assert.ok(end !== null, `call ${i}`)
      world.nowMs += 50
      end(500)
    }
    for (let i = 0; i < 3; i++) (await one.begin(plan))!(200)
    assert.equal(await one.call(plan), false)
  })

  test('the nodes use what a limit admits: under load from all of them, at least nine of ten in the long run', async () => {
    const limit = { max: 60, window_ms: 10_000 }
    const steps: Step[] = []
    for (let i = 0; i < 400; i++) {
      steps.push({ kind: 'calls', node: i % NODES, count: 3 }, { kind: 'pass', ms: 100 })
    }
    const admitted = await play(worldOf(), planOf(limit), [0, 0, 0], steps, (so) =>
      assert.ok(inWindow(so, limit.window_ms) <= limit.max),
    )
    const possible = (limit.max * 400 * 100) / limit.window_ms
    assert.ok(admitted.length >= possible * 0.9, `${admitted.length} of ${possible}`)
  })

  test('while the server cannot be reached, a policy refuses every call, admits every call, or each node admits its part', async () => {
    const limit = { max: 9, window_ms: 10_000 }
    const admit = async (policy: Partial<PolicyFragment>): Promise<number> => {
      const steps: Step[] = [0, 1, 2].map((one) => ({ kind: 'cut', node: one }) as const)
      const plan = planOf(limit, policy)
      steps.push(...[0, 1, 2].map((one) => ({ kind: 'calls', node: one, count: 10 }) as const))
      return (await play(worldOf(), plan, [0, 0, 0], steps, () => {})).length
    }
    assert.equal(await admit({}), 9)
    assert.equal(await admit({ on_store_failure: 'allow' }), 30)
    const denied = createCounters(createCounterMemory(64, true), 0)
    denied.setLeaseState('down')
    assert.equal(denied.partOf(planOf(limit, { on_store_failure: 'deny' })).closed?.code, 'not_ready')
  })
})
