/** Guardrails whose detector is a webhook: a Presidio analyzer, or a server that verifies a signature and gives a verdict. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, test } from 'node:test'
import { startOrders } from './orders.ts'
import { call, type Reply, until } from './server.ts'
import { type Answering, findsPeople, startWebhook } from './webhook.ts'

const CARD = '4111 1111 1111 1111'
const KEY = 'the-token-that-signs'
const { server, upstream, token, ask, record, stop } = await startOrders()
const url = `${server.running.gatewayUrl}/orders`

const webhook = await startWebhook(findsPeople)
const { questions, url: webhookUrl } = webhook
after(async () => {
  await stop()
  webhook.stop()
})

let count = 0
async function rule(
  members: Record<string, unknown>,
): Promise<AsyncDisposable & { id: string; slug: string }> {
  const slug = `webhook-${++count}`
  const { detector = {}, ...others } = members
  const made = await server.manage('POST', '/guardrails', {
    name: slug,
    scope: { collections: ['orders'] },
    detector: { type: 'webhook', url: webhookUrl, ...(detector as object) },
    action: 'redact',
    ...others,
  })
  assert.equal(made.status, 201, made.text)
  questions.length = 0
  return {
    id: String(made.json.id),
    slug,
    async [Symbol.asyncDispose]() {
      const gone = await server.manage('DELETE', `/guardrails/${slug}`, { confirm: slug })
      assert.equal(gone.status, 200, gone.text)
    },
  }
}

function answers(type: string, body: string) {
  const before = upstream.answer
  upstream.answer = (_seen, response) => {
    response.writeHead(200, { 'content-type': type }).end(body)
  }
  return {
    [Symbol.dispose]() {
      upstream.answer = before
    },
  }
}

const make = (body: unknown): Promise<Reply> => ask('POST', '/v1/orders', body, { cookie: 'session=x' })
const get = (query = ''): Promise<Reply> => ask('GET', `/v1/orders/7${query}`)

const signs = await server.manage('POST', '/credentials', {
  name: 'Signs',
  auth: { type: 'bearer', token: KEY },
})
assert.equal(signs.status, 201, signs.text)

/** A call with the token of another client. */
const makeAsOther = await (async () => {
  const client = await server.manage('POST', '/clients', {
    name: 'Other',
    collections: ['orders'],
    policy: 'gold',
  })
  assert.equal(client.status, 201, client.text)
  const profile = await server.manage('POST', '/profiles', {
    client: 'other',
    name: 'Main',
    auth: { type: 'token' },
  })
  assert.equal(profile.status, 201, profile.text)
  return (body: unknown): Promise<Reply> =>
    server.gateway('POST', '/orders/v1/orders', { token: String(profile.json.token), body })
})()

test('what a Presidio analyzer finds in a request is redacted, wherever it stands, and it sees nothing of the caller', async () => {
  webhook.answering = findsPeople
  await using redact = await rule({ legs: ['request'], detector: { entities: ['PERSON'], threshold: 0.6 } })
  const reply = await call('POST', `${url}/v1/orders?by=Ada+Lovelace`, {
    token,
    headers: { 'content-type': 'application/json', 'x-own': 'of the caller' },
    body: '{"😀": "𝒳 for Ada Lovelace", "n": 1.0, "b": ["Ada Lovelace", "other"]}',
  })
  assert.equal(reply.status, 200, reply.text)
  const seen = upstream.seen.at(-1)!
  assert.equal(seen.body, '{"😀": "𝒳 for [REDACTED:person]", "n": 1.0, "b": ["[REDACTED:person]", "other"]}')
  assert.equal(seen.url, '/v1/orders?by=%5BREDACTED%3Aperson%5D')
  const { body, headers } = questions.at(-1)!
  assert.deepEqual(JSON.parse(body), {
    text: '😀\n😀: 𝒳 for Ada Lovelace\nn\nb\nb: Ada Lovelace\nb: other',
    language: 'en',
    score_threshold: 0.6,
    entities: ['PERSON'],
  })
  assert.deepEqual(Object.keys(headers).sort(), [
    'accept',
    'content-length',
    'content-type',
    'host',
    'user-agent',
  ])
  const stored = await record(reply.headers.get('x-request-id')!)
  assert.deepEqual(stored.guardrail_hits, [
    { rule: redact.id, detector: 'webhook', leg: 'request', observed: false, action: 'redact', count: 3 },
  ])
  assert.doesNotMatch(JSON.stringify(stored), /Lovelace/)
})

test('a response is judged as a whole before any of it is sent: JSON, text, lines and events', async () => {
  webhook.answering = findsPeople
  await using _redact = await rule({ legs: ['response'] })
  for (const [type, body, after] of [
    ['application/json', '{"by": "Ada Lovelace", "n": 1.0}', '{"by": "[REDACTED:person]", "n": 1.0}'],
    ['text/plain', 'by Ada Lovelace', 'by [REDACTED:person]'],
    ['application/x-ndjson', '{"by":"Ada Lovelace"}\n{}\n', '{"by":"[REDACTED:person]"}\n{}\n'],
    [
      'text/event-stream',
      'id: 1\ndata: Ada Lovelace\n\ndata: b\n\n',
      'id: 1\ndata: [REDACTED:person]\n\ndata: b\n\n',
    ],
  ] as const) {
    using _upstream = answers(type, body)
    questions.length = 0
    assert.equal((await get()).text, after)
    assert.equal(questions.length, 1, type)
  }
})

test('a webhook that is down, slow, or gives no answer that can be read blocks the call, or passes it by failure_mode', async () => {
  const faults: [string, Answering][] = [
    ['has answered 500', (_question, response) => void response.writeHead(500).end('{}')],
    ['cannot be read', (_question, response) => void response.end('{"found":')],
    [
      'cannot be read',
      (_question, response) => void response.end('[{"entity_type":"PERSON","start":5,"end":9999,"score":1}]'),
    ],
    ['cannot be reached', (_question, response) => void response.destroy()],
    ['not answered in time', () => {}],
    ['is too long', (_question, response) => void response.end(`[${' '.repeat(200_000)}]`)],
  ]
  for (const [reason, fault] of faults) {
    webhook.answering = fault
    const members = { detector: { timeout: '200ms' }, max_body: 1024 }
    const before = upstream.seen.length
    {
      await using closed = await rule(members)
      const reply = await make({ by: 'Ada Lovelace' })
      assert.deepEqual(
        [reply.status, reply.json.code, reply.json.guardrail],
        [403, 'guardrail_blocked', closed.slug],
      )
      assert.match(reply.json.detail, new RegExp(reason))
      assert.equal(upstream.seen.length, before)
    }
    await using open = await rule({ ...members, failure_mode: 'pass' })
    const reply = await make({ by: 'Ada Lovelace' })
    assert.equal(reply.status, 200)
    assert.equal(upstream.seen.at(-1)!.body, '{"by":"Ada Lovelace"}')
    const { guardrail_hits: hits } = await record(reply.headers.get('x-request-id')!)
    assert.deepEqual(
      hits.map(({ rule: id, action, leg, count: failures }: Record<string, unknown>) => [
        id,
        action,
        leg,
        failures,
      ]),
      ['request', 'response'].map((leg) => [open.id, 'failed', leg, 1]),
    )
  }
})

test('a webhook that failed several times in a row is left alone for a moment, and works again after it', async () => {
  webhook.answering = (_question, response) => void response.writeHead(503).end()
  await using _block = await rule({ legs: ['request'] })
  for (let i = 0; i < 8; i++) assert.equal((await make({ a: 'b' })).status, 403)
  assert.equal(questions.length, 5)
  webhook.answering = findsPeople
  await server.moveClock(2000)
  assert.equal((await make({ a: 'b' })).status, 200)
})

test('a webhook that failed several times for one caller is asked for another one', async () => {
  webhook.answering = ({ body }, response) =>
    void response.writeHead(body.includes('too long') ? 500 : 200).end('[]')
  await using _block = await rule({ legs: ['request'] })
  for (let i = 0; i < 8; i++) assert.equal((await make({ note: 'too long' })).status, 403)
  assert.equal(questions.length, 5)
  assert.equal((await makeAsOther({ note: 'short' })).status, 200)
  assert.match((await make({ note: 'short' })).json.detail, /has failed several times/)
})

test('questions to a slow webhook are bounded: one caller has half of them, another caller gets a place, and calls beyond fail at once', async () => {
  const waiting: (() => void)[] = []
  webhook.answering = (_question, response) => waiting.push(() => response.end('[]'))
  await using _block = await rule({ legs: ['request'], detector: { timeout: '30s' } })
  const replies: Reply[] = []
  const calls = Array.from({ length: 80 }, () => make({ a: 'b' }).then((reply) => replies.push(reply)))
  await until(
    async () => [waiting.length, replies.length],
    ([asked, answered]) => asked === 64 && answered === 16,
  )
  for (const reply of replies) assert.match(reply.json.detail, /too many webhook requests/)
  const other = makeAsOther({ a: 'b' })
  await until(
    async () => waiting.length,
    (asked) => asked === 65,
  )
  for (const answer of waiting) answer()
  assert.equal((await other).status, 200)
  await Promise.all(calls)
  assert.deepEqual(
    replies.map(({ status }) => status),
    [...Array(16).fill(403), ...Array(64).fill(200)],
  )
})

test('large questions of one caller leave room for those of another one', async () => {
  const waiting: (() => void)[] = []
  webhook.answering = (_question, response) => waiting.push(() => response.end('[]'))
  const members = { legs: ['request'], max_body: 16 * 1024 * 1024, detector: { timeout: '30s' } }
  await using _block = await rule(members)
  // A busy machine takes long for bodies of this size
  const targets = [{ url: upstream.url }]
  const timeouts = { first_byte: '2m', idle: '2m' }
  const patient = await server.manage('PATCH', '/collections/orders', { upstream: { targets, timeouts } })
  assert.equal(patient.status, 200, patient.text)
  const note = 'a'.repeat(6 * 1024 * 1024)
  const calls = Array.from({ length: 7 }, () => make({ note }))
  await until(
    async () => waiting.length,
    (asked) => asked === 5,
  )
  const other = makeAsOther({ a: 'b' })
  await until(
    async () => waiting.length,
    (asked) => asked === 6,
  )
  for (const answer of waiting) answer()
  assert.equal((await other).status, 200)
  const said = (await Promise.all(calls)).map(({ status, json }) => (status === 200 ? '200' : json.code))
  const refused = 'guardrail_blocked'
  assert.deepEqual(said.sort(), ['200', '200', '200', '200', '200', refused, refused])
})

test('a signed request can be verified, and its verdict passes, blocks or modifies', async () => {
  let verdict: unknown = { verdict: 'pass' }
  webhook.answering = (_question, response) => void response.end(JSON.stringify(verdict))
  await using decides = await rule({
    detector: { format: 'signed', credential: 'signs' },
    action: 'decide',
    legs: ['request'],
  })
  assert.equal((await make({ amount: 'much', note: 'x' })).status, 200)
  const { body, headers } = questions.at(-1)!
  assert.deepEqual(JSON.parse(body), {
    guardrail: decides.slug,
    leg: 'request',
    texts: [
      { name: '', text: 'amount' },
      { name: 'amount', text: 'much' },
      { name: '', text: 'note' },
      { name: 'note', text: 'x' },
    ],
  })
  const at = headers['postern-timestamp']
  const signature = createHmac('sha256', KEY).update(`${at}.${body}`).digest('hex')
  assert.equal(headers['postern-signature'], `v1=${signature}`)
  assert.equal(headers.authorization, undefined)
  verdict = { verdict: 'modify', texts: ['amount', 'some', 'note', 'x'] }
  const changed = await make({ amount: 'much', note: 'x' })
  assert.equal(upstream.seen.at(-1)!.body, '{"amount":"some","note":"x"}')
  const hitOf = async (reply: Reply) => {
    const [{ action, count: found }] = (await record(reply.headers.get('x-request-id')!)).guardrail_hits
    return [action, found]
  }
  assert.deepEqual(await hitOf(changed), ['replace', 1])
  verdict = { verdict: 'block' }
  const blocked = await make({ amount: 'much' })
  assert.deepEqual([blocked.status, blocked.json.guardrail], [403, decides.slug])
  assert.deepEqual(await hitOf(blocked), ['block', 1])
  verdict = { verdict: 'modify', texts: ['fewer'] }
  assert.match((await make({ amount: 'much' })).json.detail, /cannot be read/)
  await server.manage('PATCH', `/guardrails/${decides.slug}`, { mode: 'observe' })
  verdict = { verdict: 'block' }
  assert.equal((await make({ amount: 'much' })).status, 200)
})

test('a webhook that knows the key of before a rotation alone is asked with it until the overlap has passed', async () => {
  for (const [name, format, status] of [
    ['Rotated key', 'signed', 403],
    ['Rotated token', 'presidio', 401],
  ] as const) {
    const slug = name.toLowerCase().replace(' ', '-')
    const credential = await server.manage('POST', '/credentials', {
      name,
      auth: { type: 'bearer', token: KEY },
    })
    assert.equal(credential.status, 201, credential.text)
    webhook.answering = ({ body, headers }, response) => {
      const at = headers['postern-timestamp']
      const signature = `v1=${createHmac('sha256', KEY).update(`${at}.${body}`).digest('hex')}`
      const isKnown = headers['postern-signature'] === signature || headers.authorization === `Bearer ${KEY}`
      const answer = format === 'signed' ? { verdict: 'pass' } : []
      response.writeHead(isKnown ? 200 : status).end(JSON.stringify(answer))
    }
    await using _rule = await rule({
      legs: ['request'],
      detector: { format, credential: slug },
      action: format === 'signed' ? 'decide' : 'redact',
    })
    const rotated = await server.manage('POST', `/credentials/${slug}/rotate`, {
      auth: { token: 'another-token-that-signs' },
      untested: true,
      overlap: '1h',
    })
    assert.equal(rotated.status, 200, rotated.text)
    questions.length = 0
    assert.equal((await make({ by: 'x' })).status, 200, format)
    assert.equal(questions.length, 2)
    // Any change of the secret ends the overlap
    const changed = await server.manage('PATCH', `/credentials/${slug}`, {
      auth: { type: 'bearer', token: 'a-third-token-that-signs' },
    })
    assert.equal(changed.status, 200, changed.text)
    assert.equal((await make({ by: 'x' })).status, 403)
  }
})

test('a webhook sees what the rules before it have left, and its rule acts in its order', async () => {
  webhook.answering = findsPeople
  await using _webhook = await rule({ legs: ['request'], order: 20 })
  const made = await server.manage('POST', '/guardrails', {
    name: 'Before',
    order: 10,
    scope: { collections: ['orders'] },
    legs: ['request'],
    detector: { type: 'pii', kinds: ['card'] },
    action: 'mask',
  })
  assert.equal(made.status, 201)
  assert.equal((await make({ note: `${CARD} of Ada Lovelace` })).status, 200)
  assert.equal(upstream.seen.at(-1)!.body, '{"note":"********1111 of [REDACTED:person]"}')
  assert.doesNotMatch(questions.at(-1)!.body, /4111/)
  await server.manage('DELETE', '/guardrails/before', { confirm: 'before' })
})

test('a webhook that changes its rule is asked anew, at the new address', async () => {
  webhook.answering = findsPeople
  await using one = await rule({ legs: ['request'] })
  assert.equal((await make({ a: 'b' })).status, 200)
  await server.manage('PATCH', `/guardrails/${one.slug}`, {
    detector: { type: 'webhook', url: 'http://127.0.0.1:9/analyze' },
  })
  assert.match((await make({ a: 'b' })).json.detail, /cannot be reached/)
})

test('a test of a guardrail asks the webhook, also for a definition, with the right to write and to use the credential', async () => {
  webhook.answering = findsPeople
  await using stored = await rule({ mode: 'observe' })
  const sample = '{"by":"Ada Lovelace"}'
  const tried = await server.manage('POST', '/guardrails/test', { guardrail: stored.slug, sample })
  assert.deepEqual(
    [tried.status, tried.json.result, tried.json.found],
    [200, '{"by":"[REDACTED:person]"}', [{ detector: 'webhook', kind: 'person', count: 1 }]],
  )
  webhook.answering = (_question, response) => void response.end('{"verdict":"block"}')
  const definition = {
    detector: { type: 'webhook', url: webhookUrl, format: 'signed', credential: 'signs' },
    action: 'decide',
  }
  const blocked = await server.manage('POST', '/guardrails/test', { definition, sample })
  assert.deepEqual([blocked.json.outcome, blocked.json.found[0].kind], ['blocked', 'blocked'])
  webhook.answering = (_question, response) => response.destroy()
  const down = await server.manage('POST', '/guardrails/test', { guardrail: stored.slug, sample })
  assert.deepEqual([down.json.outcome, down.json.reason], ['blocked', 'the webhook cannot be reached'])
})

test('nobody has a webhook asked who may not write the guardrail or use its credential, and a grant on one collection writes none', async () => {
  webhook.answering = findsPeople
  await using stored = await rule({ legs: ['request'], detector: { credential: 'signs' } })
  const as = async (grants: string[]): Promise<string> =>
    (await server.running.issueToken({ grants, ttl: '1h', name: grants.join() })).token
  const definition = { detector: { type: 'webhook', url: webhookUrl }, action: 'redact' }
  const tried = async (grant: string, body: object): Promise<[number, string | undefined]> => {
    const { status, json } = await server.manage(
      'POST',
      '/guardrails/test',
      { sample: '"Ada Lovelace"', ...body },
      { token: await as([grant]) },
    )
    return [status, json.permission]
  }
  assert.deepEqual(await tried('viewer', { guardrail: stored.slug }), [403, 'guardrails:update'])
  assert.deepEqual(await tried('viewer', { definition }), [403, 'guardrails:create'])
  assert.deepEqual(await tried('modifier:guardrails', { definition }), [200, undefined])
  assert.deepEqual(await tried('modifier:guardrails', { guardrail: stored.slug }), [403, 'credentials:use'])
  assert.deepEqual(await tried('admin', { guardrail: stored.slug }), [200, undefined])
  assert.equal(questions.length, 2)
  const narrow = { token: await as(['modifier@orders']) }
  const made = await server.manage(
    'POST',
    '/guardrails',
    { name: 'Own', scope: { collections: ['orders'] }, detector: { type: 'pii' }, action: 'log' },
    narrow,
  )
  assert.deepEqual([made.status, made.json.permission], [403, 'guardrails:create'])
  assert.deepEqual((await server.manage('GET', '/guardrails', undefined, narrow)).json.items, [])
})

test('a webhook names what is wrong with it', async () => {
  const base = { name: 'x', scope: { everywhere: true }, action: 'block' }
  const faults = async (detector: object, members: object = {}): Promise<unknown> => {
    const { status, json } = await server.manage('POST', '/guardrails', {
      ...base,
      detector: { type: 'webhook', url: webhookUrl, ...detector },
      ...members,
    })
    assert.ok(status === 400 || status === 422, JSON.stringify(json))
    return json.errors[0].pointer
  }
  assert.equal(await faults({ url: undefined }), '/detector/url')
  assert.equal(await faults({ url: 'http://169.254.169.254/x' }), '/detector/url')
  assert.equal(await faults({ timeout: '1m' }), '/detector/timeout')
  assert.equal(await faults({ timeout: 'soon' }), '/detector/timeout')
  assert.equal(await faults({ kinds: ['card'] }), '/detector/kinds')
  assert.equal(await faults({ format: 'signed' }), '/detector/credential')
  assert.equal(await faults({ format: 'signed', credential: 'signs', language: 'en' }), '/detector/language')
  assert.equal(await faults({ format: 'signed', credential: 'signs' }), '/action')
  assert.equal(await faults({}, { action: 'decide' }), '/action')
  assert.equal(await faults({}, { legs: ['list'] }), '/legs')
})
