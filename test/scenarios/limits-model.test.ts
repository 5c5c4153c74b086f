import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { callAsAgent, publishOrders, startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const WINDOW_MS = 10_000
const DAY_MS = 86_400_000
/** A rate may count a call for one of its 60 slots longer than it must; clocks are read to the millisecond. */
const LATE_MS = WINDOW_MS / 60 + 2

const PLACES = ['client', 'profile', 'collection', 'proxy'] as const
type Place = (typeof PLACES)[number]
const PROXIES = ['orders', 'items'] as const
const CALLERS = [
  { client: 'acme', profile: 'sandbox' },
  { client: 'acme', profile: 'second' },
  { client: 'other', profile: 'third' },
] as const

interface Limit {
  readonly name: string
  readonly kind: 'rate' | 'quota' | 'concurrency'
  readonly max: number
  readonly window?: string
  readonly burst?: number
  readonly cost?: number
}

/** Who calls what, and by which door. */
interface Asked {
  readonly caller: number
  readonly proxy: number
  readonly agent: boolean
}

/** A call between the moments at which it was sent and answered, by the moved clock. */
interface Made extends Asked {
  readonly sent: number
  readonly answered: number
  /** Place and name of the limit that refused it. */
  readonly refusedBy: string | null
}

/** Whose calls one counter counts, by where a policy is attached. */
function subjectOf(place: Place, { caller, proxy }: Pick<Asked, 'caller' | 'proxy'>): string {
  const { client, profile } = CALLERS[caller]!
  return place === 'profile' ? profile : place === 'proxy' ? `${client} ${PROXIES[proxy]}` : client
}

/** What one counter counts. */
class Counted {
  readonly #limit: Limit
  readonly #cost: number
  readonly #admitted: readonly Made[]

  constructor(limit: Limit, calls: readonly Made[]) {
    this.#limit = limit
    this.#cost = limit.cost ?? 1
    this.#admitted = calls.filter(({ refusedBy }) => refusedBy === null)
  }

  /** Never more than it says: what was certainly admitted in any span. */
  checkBound(): void {
    const { name, kind, max, burst } = this.#limit
    for (const { sent: from } of this.#admitted) {
      const day = from - (from % DAY_MS)
      if (kind === 'quota') assert.ok(this.#certainly(day, day + DAY_MS - 1) <= max, name)
      else if (kind === 'rate' && burst === undefined)
        assert.ok(this.#certainly(from, from + WINDOW_MS - 1) <= max, name)
      else if (kind === 'rate')
        for (const { answered: to } of this.#admitted)
          assert.ok(to < from || this.#certainly(from, to) <= burst! + ((to - from) * max) / WINDOW_MS, name)
    }
  }

  /** True when it may have been used up for this call: what was refused counts nowhere. */
  mayRefuse({ sent, answered }: Made): boolean {
    const { kind, max, burst } = this.#limit
    if (kind === 'concurrency') return this.#possibly(sent, answered) >= max
    if (kind === 'quota') {
      const [first, last] = [sent - (sent % DAY_MS), answered - (answered % DAY_MS)]
      return first !== last || this.#possibly(first, answered) + this.#cost > max
    }
    if (burst === undefined) return this.#possibly(sent - WINDOW_MS - LATE_MS, answered) + this.#cost > max
    return this.#admitted.some((first) => {
      const refilled = (Math.max(0, sent - first.answered - LATE_MS) * max) / WINDOW_MS
      return this.#possibly(first.sent, answered) + this.#cost > burst + refilled
    })
  }

  #certainly(from: number, to: number): number {
    return this.#cost * this.#admitted.filter(({ sent, answered }) => sent >= from && answered <= to).length
  }

  #possibly(from: number, to: number): number {
    return this.#cost * this.#admitted.filter(({ sent, answered }) => answered >= from && sent <= to).length
  }
}

/** Callers before a server of four threads, with a policy at each place. */
class Bench {
  readonly server: TestServer
  readonly #tokens: readonly string[]
  /** Calls under way at the upstream, by caller and proxy; as they were at each arrival. */
  readonly #underWay = new Map<string, number>()
  arrivals: ReadonlyMap<string, number>[] = []
  #moved = 0

  constructor(server: TestServer, upstream: TestUpstream, tokens: readonly string[]) {
    this.server = server
    this.#tokens = tokens
    upstream.answer = ({ url }, response) => {
      const [, , proxy, caller] = url.split('/')
      const who = `${caller} ${PROXIES.indexOf(proxy as 'orders')}`
      const add = (by: number): unknown => this.#underWay.set(who, (this.#underWay.get(who) ?? 0) + by)
      add(1)
      this.arrivals.push(new Map(this.#underWay))
      void pause(5).then(() => {
        add(-1)
        response.end('{}')
      })
    }
  }

  #now(): number {
    return Date.now() + this.#moved
  }

  move(ms: number): void {
    this.#moved += ms
    this.server.moveClock(ms)
  }

  async setLimits(at: Partial<Record<Place, readonly Limit[]>>): Promise<void> {
    for (const place of PLACES) {
      const limits = at[place] ?? []
      const body = limits.length === 0 ? { active: false } : { active: true, limits }
      const { status, text } = await this.server.manage('PATCH', `/policies/${place}`, body)
      assert.equal(status, 200, text)
    }
  }

  async make({ caller, proxy, agent }: Asked): Promise<Made> {
    const sent = this.#now()
    const path = `/orders/v1/${PROXIES[proxy]}/${caller}`
    const token = this.#tokens[caller]!
    // A clock that is moved ends idle connections, perhaps while the next call is on its way on one
    const headers = { connection: 'close' }
    const { status, problem } = agent
      ? await callAsAgent(this.server, token, { endpoint: `GET ${path}` }).then((result) => ({
          status: result.status,
          problem: result.body,
        }))
      : await this.server.gateway('GET', path, { token, headers }).then((reply) => ({
          status: reply.status,
          problem: reply.json,
        }))
    assert.ok(status === 200 || status === 429, `${status} ${JSON.stringify(problem)}`)
    const refusedBy = status === 200 ? null : `${problem.attached_to} ${problem.limit_name}`
    return { caller, proxy, agent, sent, answered: this.#now(), refusedBy }
  }

  /** The most that one counter of a concurrency limit may have seen at once. */
  mostAtOnce(place: Place, subject: string): number {
    let most = 0
    for (const underWay of this.arrivals) {
      let count = 0
      for (const [who, calls] of underWay) {
        const [caller, proxy] = who.split(' ').map(Number)
        if (subjectOf(place, { caller: caller!, proxy: proxy! }) === subject) count += calls
      }
      most = Math.max(most, count)
    }
    return most
  }
}

async function startBench(server: TestServer, upstream: TestUpstream): Promise<Bench> {
  const create = async (resource: string, body: object) => {
    const { status, text, json } = await server.manage('POST', `/${resource}`, body)
    assert.equal(status, 201, text)
    return json
  }
  const tokens = [await publishOrders(server, upstream.url)]
  const item = { collection: 'orders', name: 'Get item', methods: ['GET'], path: '/v1/items/{id}' }
  await create('proxies', { ...item, status: 'published' })
  await create('clients', { name: 'Other', slug: 'other', collections: ['orders'], profiles: [] })
  for (const { client, profile } of CALLERS.slice(1))
    tokens.push((await create('profiles', { client, name: profile, auth: { type: 'token' } })).token)
  const limits = [{ name: 'all', kind: 'rate', max: 1, window: '1s' }]
  for (const place of PLACES) await create('policies', { name: place, slug: place, active: false, limits })
  const attached: Record<Place, readonly string[]> = {
    client: ['clients/acme', 'clients/other'],
    profile: CALLERS.map(({ client, profile }) => `profiles/${client}:${profile}`),
    collection: ['collections/orders'],
    proxy: ['proxies/orders:get-order', 'proxies/orders:get-item'],
  }
  for (const place of PLACES)
    for (const path of attached[place]) {
      const { status, text } = await server.manage('PATCH', `/${path}`, { policy: place })
      assert.equal(status, 200, text)
    }
  return new Bench(server, upstream, tokens)
}

const window = '10s'
const cost = fc.integer({ min: 1, max: 3 })
const max = fc.integer({ min: 6, max: 24 })
/** By name; the quota begins anew under another name each time. */
const ANY_LIMITS = fc.record(
  {
    rate: fc.record({ max, cost }),
    bucket: fc.record({ max, cost, burst: fc.integer({ min: 3, max: 6 }) }),
    quota: fc.record({ max: fc.integer({ min: 6, max: 40 }), cost }),
    flight: fc.record({ max: fc.integer({ min: 2, max: 4 }) }),
  },
  { requiredKeys: [] },
)
type AnyLimits = typeof ANY_LIMITS extends fc.Arbitrary<infer Value> ? Value : never

function toLimits({ rate, bucket, quota, flight }: AnyLimits, round: number): Limit[] {
  return [
    ...(rate === undefined ? [] : [{ name: 'rate', kind: 'rate' as const, window, ...rate }]),
    ...(bucket === undefined ? [] : [{ name: 'bucket', kind: 'rate' as const, window, ...bucket }]),
    ...(quota === undefined
      ? []
      : [{ name: `quota-${round}`, kind: 'quota' as const, window: '1d', ...quota }]),
    ...(flight === undefined ? [] : [{ name: 'flight', kind: 'concurrency' as const, ...flight }]),
  ]
}

const STEPS = fc.array(
  fc.record({
    calls: fc.array(
      fc.record({
        // Most by one, so that limits are reached
        caller: fc.constantFrom<number>(0, 0, 0, 0, 1, 2),
        proxy: fc.constantFrom<number>(0, 0, 0, 1),
        agent: fc.constantFrom(false, false, true),
      }),
      { minLength: 3, maxLength: 9 },
    ),
    wait: fc.constantFrom<number>(0, 100, 1300, 2600, 5000, 9990),
  }),
  { minLength: 5, maxLength: 8 },
)
/** Nine calls at once, of which one limit cannot admit all. */
const AT_ONCE = [
  { calls: Array.from({ length: 9 }, (_, i) => ({ caller: 0, proxy: 0, agent: i % 3 === 0 })), wait: 0 },
]
const LIMITS_AT = fc.record(
  { client: ANY_LIMITS, profile: ANY_LIMITS, collection: ANY_LIMITS, proxy: ANY_LIMITS },
  { requiredKeys: ['client', 'proxy'] },
)

test('over four threads, REST and agents mixed, no limit of any place admits more than it says, or refuses what it has', async () => {
  await using upstream = await startUpstream()
  await using server = await startTestServer({ workers: 4 })
  const bench = await startBench(server, upstream)
  let round = 0
  let admitted = 0
  const refusing = new Set<string>()
  await fc.assert(
    fc.asyncProperty(LIMITS_AT, STEPS, async (at, steps) => {
      round++
      const limits = Object.fromEntries(PLACES.map((place) => [place, toLimits(at[place] ?? {}, round)]))
      await bench.setLimits(limits)
      // What an earlier round has used is given back
      bench.move(3 * WINDOW_MS)
      bench.arrivals = []
      const made: Made[] = []
      for (const { calls, wait } of steps) {
        made.push(...(await Promise.all(calls.map((call) => bench.make(call)))))
        bench.move(wait)
      }
      const refused = new Map<Made, boolean>()
      for (const place of PLACES)
        for (const subject of new Set(made.map((call) => subjectOf(place, call)))) {
          const calls = made.filter((call) => subjectOf(place, call) === subject)
          for (const limit of limits[place]!) {
            const counted = new Counted(limit, calls)
            counted.checkBound()
            if (limit.kind === 'concurrency') assert.ok(bench.mostAtOnce(place, subject) <= limit.max)
            for (const call of calls)
              if (call.refusedBy === `${place} ${limit.name}`) refused.set(call, counted.mayRefuse(call))
          }
        }
      for (const call of made)
        if (call.refusedBy === null) admitted++
        else {
          refusing.add(call.refusedBy.replace(/-\d+$/, ''))
          assert.equal(refused.get(call), true, `refused by ${call.refusedBy}, which has calls left`)
        }
    }),
    {
      numRuns: 8,
      endOnFailure: true,
      examples: [
        [{ client: { rate: { max: 8, cost: 2 } }, proxy: {} }, AT_ONCE],
        [{ client: {}, profile: { bucket: { max: 4, burst: 3, cost: 1 } }, proxy: {} }, AT_ONCE],
        [{ client: {}, proxy: { quota: { max: 10, cost: 2 } } }, AT_ONCE],
      ],
    },
  )
  for (const name of ['client rate', 'profile bucket', 'proxy quota']) assert.ok(refusing.has(name), name)
  assert.ok(admitted > 20, `${admitted} admitted`)
})
