/** Accounts of people at origins: whose token each request carries, and what a caller without an account is told, in each era. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { type AccountBroker, accountBroker, pageOf } from './account-broker.ts'
import { type AccountOrigin, startAccountOrigin } from './account-origin.ts'
import { ERAS, type Era, type Message, type RawAnswer, type RawClient, rawClient } from './raw-client.ts'
import { startVirtualMcp, type VirtualMcp, type VirtualMcpOptions } from './virtual-mcp.ts'

const ANN = 'usr_ann'
const BOB = 'usr_bob'
const CRM = 'ori_crm'
const PAGE = pageOf(CRM)
const URL_CLIENT = { elicitation: { url: {} } }

/** A request of each method that goes to an origin. */
const REQUESTS = {
  'tools/call': { name: 'whoami', arguments: {} },
  'prompts/get': { name: 'greet' },
  'resources/read': { uri: 'note://me' },
  'completion/complete': { ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'who', value: '' } },
} as const
type Method = keyof typeof REQUESTS
const METHODS = Object.keys(REQUESTS) as readonly Method[]

interface Desk {
  readonly origin: AccountOrigin
  readonly broker: AccountBroker
  readonly desk: VirtualMcp
  /** A client of a person. */
  client(user: string, era: Era, capabilities?: object): Promise<RawClient>
}

/** An origin at which each person has an account, behind a virtual MCP that is shared with Ann and Bob. Its probe is forgotten. */
async function startDesk(
  context: TestContext,
  era: Era,
  options: VirtualMcpOptions = {},
  connected: readonly string[] = [ANN, BOB],
): Promise<Desk> {
  const origin = await startAccountOrigin(era, true)
  const broker = accountBroker()
  for (const user of connected) broker.connect(user, CRM, origin)
  const desk = await startVirtualMcp(
    { crm: origin.url },
    { auth_mode: 'user_oauth', connections: broker.connections, people: [ANN, BOB], ...options },
  )
  context.after(async () => {
    await desk[Symbol.asyncDispose]()
    await origin[Symbol.asyncDispose]()
  })
  origin.forgetRequests()
  return {
    origin,
    broker,
    desk,
    client: (user, of, capabilities) =>
      rawClient({ url: desk.url, headers: desk.headersOf(user) }, of, capabilities),
  }
}

const ask = (client: RawClient, method: Method, more: object = {}): Promise<RawAnswer> =>
  client.ask(method, { ...REQUESTS[method], ...more })
const last = ({ messages }: RawAnswer): Message => messages.at(-1)!
/** The problem object of a refused call, wherever it is. */
function problemIn(answer: RawAnswer): Readonly<Record<string, unknown>> {
  const { result, error } = last(answer)
  return (error?.data ?? result?.['structuredContent']) as Readonly<Record<string, unknown>>
}

for (const originEra of ERAS)
  for (const era of ERAS) {
    const at = `${era} client, ${originEra} origin`

    test(`${at}: every MCP method uses the account of its person, and two people share nothing`, async (context) => {
      const { origin, desk, client } = await startDesk(context, originEra, { sessions: 'shared' })
      const clients = { [ANN]: await client(ANN, era), [BOB]: await client(BOB, era) }
      for (const method of METHODS)
        await Promise.all(
          Object.entries(clients).map(async ([user, own]) => {
            const { text } = await ask(own, method)
            assert.match(text, new RegExp(`"${user}"`), `${method}: ${text}`)
          }),
        )
      await desk.closeSessions()
      for (const { method, account } of origin.requests) assert.ok(account !== null, method)
      const sessionsOf = (user: string) =>
        new Set(origin.requests.flatMap(({ account, session }) => (account === user ? [session ?? ''] : [])))
      if (originEra === 'modern') return
      const [anns, bobs] = [sessionsOf(ANN), sessionsOf(BOB)]
      assert.deepEqual(
        [...anns].filter((session) => bobs.has(session)),
        [''],
      )
      assert.deepEqual([anns.size, bobs.size], [2, 2])
      assert.equal(origin.requests.filter(({ method }) => method === 'DELETE').length, 2)
    })

    test(`${at}: a token that the origin refuses is renewed, the call is made again, and a session goes on`, async (context) => {
      const { origin, broker, client } = await startDesk(context, originEra)
      const own = await client(ANN, era)
      for (const method of METHODS) {
        assert.match((await ask(own, method)).text, /usr_ann/, method)
        origin.refuse(broker.tokenOf(ANN, CRM))
        origin.forgetRequests()
        assert.match((await ask(own, method)).text, /usr_ann/, method)
        const came = origin.requests.map((request) => [request.method, request.account])
        assert.deepEqual(came, [
          [method, null],
          [method, ANN],
        ])
      }
      // One question for the first token, and one for each renewal
      assert.equal(broker.asked.length, 1 + METHODS.length)
      const opened = origin.requests.filter(({ method }) => method === 'initialize')
      assert.deepEqual(opened, [])
    })

    test(`${at}: fifty parallel calls with a refused token renew it once`, async (context) => {
      const { origin, broker, client } = await startDesk(context, originEra)
      const own = await client(ANN, era)
      await ask(own, 'tools/call')
      origin.refuse(broker.tokenOf(ANN, CRM))
      const answers = await Promise.all(Array.from({ length: 50 }, () => ask(own, 'tools/call')))
      for (const { text } of answers) assert.match(text, /usr_ann/)
      assert.equal(broker.asked.filter(({ refused }) => refused !== null).length, 1)
    })

    for (const method of METHODS)
      test(`${at}: ${method} without an account is refused with the page to connect it, and recorded`, async (context) => {
        const { origin, desk, client } = await startDesk(context, originEra, {}, [BOB])
        const answer = await ask(await client(ANN, era), method)
        const { result, error } = last(answer)
        const { code, connect_url, origin: named } = problemIn(answer)
        assert.deepEqual([code, connect_url, named], ['connect_required', PAGE, 'crm'])
        if (method === 'tools/call') {
          assert.equal(result?.['isError'], true)
          assert.match(
            JSON.stringify(result?.['content']),
            /https:\/\/postern\.test\/connect\/ori_crm\?for=mark/,
          )
        } else assert.equal(error?.code, 403)
        assert.deepEqual(origin.requests, [])
        await eventually(() => desk.served.records.some((record) => record.code === 'connect_required'))
      })

    test(`${at}: a token that is refused again after it was renewed leads to the page`, async (context) => {
      const { origin, broker, client } = await startDesk(context, originEra)
      const own = await client(ANN, era)
      await ask(own, 'tools/call')
      origin.refuse(broker.tokenOf(ANN, CRM))
      broker.breakRenewal()
      origin.forgetRequests()
      const { code, connect_url } = problemIn(await ask(own, 'tools/call'))
      assert.deepEqual([code, connect_url], ['connect_required', PAGE])
      assert.equal(origin.requests.length, 2)
      const told = broker.asked.map(({ refused }) => refused && [refused.generation, refused.isAgain])
      assert.deepEqual(told, [null, [1, undefined], [2, true]])
      // The origin is left alone until the person has connected the account
      assert.equal(problemIn(await ask(own, 'tools/call'))['code'], 'connect_required')
      assert.equal(origin.requests.length, 2)
      broker.connect(ANN, CRM, origin)
      assert.match((await ask(own, 'tools/call')).text, /usr_ann/)
    })

    test(`${at}: a caller who is no person is refused without a page`, async (context) => {
      const { origin, broker, desk } = await startDesk(context, originEra)
      const problem = problemIn(await ask(await rawClient(desk, era, URL_CLIENT), 'tools/call'))
      assert.equal(problem['code'], 'connect_required')
      assert.equal(problem['connect_url'], undefined)
      assert.match(String(problem['detail']), /not a person/)
      assert.deepEqual([origin.requests, broker.asked], [[], []])
    })

    test(`${at}: an account that has ended is used no longer, and a new one has sessions of its own`, async (context) => {
      const { origin, broker, client } = await startDesk(context, originEra)
      const own = await client(ANN, era)
      await ask(own, 'tools/call')
      broker.end(ANN, CRM)
      assert.equal(problemIn(await ask(own, 'tools/call'))['code'], 'connect_required')
      broker.connect(ANN, CRM, origin)
      assert.match((await ask(own, 'tools/call')).text, /usr_ann/)
      const sessions = origin.requests.flatMap(({ method, session }) =>
        method === 'tools/call' ? [session] : [],
      )
      assert.deepEqual(sessions, originEra === 'modern' ? [null, null] : ['session-2', 'session-3'])
    })

    test(`${at}: no record has a token`, async (context) => {
      const { origin, broker, desk, client } = await startDesk(context, originEra)
      const own = await client(ANN, era)
      await ask(own, 'tools/call')
      origin.refuse(broker.tokenOf(ANN, CRM))
      broker.breakRenewal()
      await ask(own, 'tools/call')
      await ask(own, 'prompts/get')
      await eventually(
        () => desk.served.records.filter(({ code }) => code === 'connect_required').length === 2,
      )
      assert.doesNotMatch(JSON.stringify(desk.served.records), /at-usr_ann/)
    })
  }

/** A request of a modern client that was asked to open a page, and its retry. */
function asked(answer: RawAnswer): { readonly url: unknown; retry(action: string): object } {
  const { resultType, inputRequests, requestState } = last(answer).result as Readonly<Record<string, unknown>>
  assert.equal(resultType, 'input_required', answer.text)
  const { connect } = inputRequests as { connect: { method: string; params: Record<string, unknown> } }
  assert.deepEqual([connect.method, connect.params['mode']], ['elicitation/create', 'url'])
  return {
    url: connect.params['url'],
    retry: (action) => ({ requestState, inputResponses: { connect: { action } } }),
  }
}

for (const originEra of ERAS) {
  for (const method of METHODS.slice(0, 3))
    test(`modern client that opens pages, ${originEra} origin: ${method} asks for the page, and its retry is the call`, async (context) => {
      const { origin, broker, client } = await startDesk(context, originEra, {}, [BOB])
      const own = await client(ANN, 'modern', URL_CLIENT)
      const first = asked(await ask(own, method))
      assert.equal(first.url, PAGE)
      // The page was opened, and the account is not connected yet
      const second = asked(await ask(own, method, first.retry('accept')))
      assert.deepEqual(origin.requests, [])
      broker.connect(ANN, CRM, origin)
      assert.match((await ask(own, method, second.retry('accept'))).text, /usr_ann/)
      const { params } = origin.requests.at(-1)!
      assert.deepEqual([params['inputResponses'], params['requestState']], [undefined, undefined])
      // A state counts once
      assert.equal(last(await ask(own, method, second.retry('accept'))).error?.code, -32602)
    })

  test(`modern client, ${originEra} origin: a person who does not open the page gets the link`, async (context) => {
    const { client } = await startDesk(context, originEra, {}, [])
    const own = await client(ANN, 'modern', URL_CLIENT)
    for (const action of ['decline', 'cancel']) {
      const { retry } = asked(await ask(own, 'tools/call'))
      const answer = await ask(own, 'tools/call', retry(action))
      assert.equal(last(answer).result?.['isError'], true, answer.text)
      assert.equal(problemIn(answer)['connect_url'], PAGE)
    }
    const { retry } = asked(await ask(own, 'prompts/get'))
    assert.equal(problemIn(await ask(own, 'prompts/get', retry('decline')))['connect_url'], PAGE)
  })

  test(`modern client, ${originEra} origin: after eight questions the answer is the link`, async (context) => {
    const { client } = await startDesk(context, originEra, {}, [])
    const own = await client(ANN, 'modern', URL_CLIENT)
    let answer = await ask(own, 'tools/call')
    for (let round = 0; round < 8; round++)
      answer = await ask(own, 'tools/call', asked(answer).retry('accept'))
    assert.equal(problemIn(answer)['connect_url'], PAGE)
  })

  test(`modern client, ${originEra} origin: nobody else can use the state of a question`, async (context) => {
    const { client } = await startDesk(context, originEra, {}, [BOB])
    const { retry } = asked(await ask(await client(ANN, 'modern', URL_CLIENT), 'tools/call'))
    const { error } = last(await ask(await client(BOB, 'modern', URL_CLIENT), 'tools/call', retry('accept')))
    assert.match(String(error?.message), /belongs to another request or caller/)
  })

  test(`client of 2025-11-25 that opens pages, ${originEra} origin: each method is answered with -32042`, async (context) => {
    const { client } = await startDesk(context, originEra, {}, [])
    const own = await client(ANN, 'legacy', URL_CLIENT)
    for (const method of METHODS) {
      const { error } = last(await ask(own, method))
      assert.equal(error?.code, -32042, method)
      const [{ mode, url, elicitationId, message }] = (
        error.data as { elicitations: [Record<string, string>] }
      ).elicitations
      assert.deepEqual([mode, url], ['url', PAGE])
      assert.match(elicitationId!, /^[0-9a-f-]{36}$/)
      assert.match(message!, /crm/)
    }
  })
}

test('a client that offers forms alone is sent to no page', async (context) => {
  const { client } = await startDesk(context, 'modern', {}, [])
  for (const era of ERAS) {
    const own = await client(ANN, era, { elicitation: {} })
    assert.equal(problemIn(await ask(own, 'tools/call'))['connect_url'], PAGE, era)
  }
})

test('a call that waits for what its origin has asked gets the link, and its state is left alone', async (context) => {
  const { origin, broker, client } = await startDesk(context, 'modern')
  const own = await client(ANN, 'modern', URL_CLIENT)
  const wait = { name: 'wait', arguments: {} }
  const { requestState } = last(await own.ask('tools/call', wait)).result!
  assert.equal(requestState, 'of the origin')
  broker.end(ANN, CRM)
  const refused = await own.ask('tools/call', { ...wait, requestState })
  assert.equal(problemIn(refused)['connect_url'], PAGE)
  broker.connect(ANN, CRM, origin)
  assert.match((await own.ask('tools/call', { ...wait, requestState })).text, /usr_ann/)
})

test('a retry after the page reaches an origin that then asks by itself', async (context) => {
  const { origin, broker, client } = await startDesk(context, 'modern', {}, [])
  const own = await client(ANN, 'modern', URL_CLIENT)
  const wait = { name: 'wait', arguments: {} }
  const { retry } = asked(await own.ask('tools/call', wait))
  broker.connect(ANN, CRM, origin)
  const { requestState } = last(await own.ask('tools/call', { ...wait, ...retry('accept') })).result!
  assert.equal(requestState, 'of the origin')
  assert.match((await own.ask('tools/call', { ...wait, requestState })).text, /usr_ann/)
})

test('call_tool of the compact view asks for the page, and its retry is the call', async (context) => {
  const { origin, broker, desk, client } = await startDesk(context, 'modern', {}, [])
  desk.publish({ mcp_view: 'compact' })
  const own = await client(ANN, 'modern', URL_CLIENT)
  const call = { name: 'call_tool', arguments: { name: 'whoami' } }
  const { retry } = asked(await own.ask('tools/call', call))
  broker.connect(ANN, CRM, origin)
  assert.match((await own.ask('tools/call', { ...call, ...retry('accept') })).text, /usr_ann/)
})

for (const era of ERAS)
  test(`${era} client: one expired member asks for itself, the others keep answering, and lists never shrink`, async (context) => {
    await using origin = await startAccountOrigin('modern', true)
    await using other = await startAccountOrigin('legacy', true)
    const broker = accountBroker()
    broker.connect(ANN, 'ori_crm', origin)
    broker.connect(ANN, 'ori_mail', other)
    const desk = await startVirtualMcp(
      { crm: origin.url, mail: other.url },
      { auth_mode: 'user_oauth', connections: broker.connections, people: [ANN] },
    )
    context.after(() => desk[Symbol.asyncDispose]())
    const own = await rawClient({ url: desk.url, headers: desk.headersOf(ANN) }, era)
    const list = async (): Promise<unknown> => last(await own.ask('tools/list', {})).result?.['tools']
    const before = await list()
    const names = (before as { name: string }[]).map(({ name }) => name)
    const [crm, mail] = ['whoami', names.find((name) => /mail.whoami/.test(name))!]
    const call = (name: string): Promise<RawAnswer> => own.ask('tools/call', { name, arguments: {} })
    for (const name of [crm, mail]) assert.match((await call(name)).text, /usr_ann/, names.join())
    broker.end(ANN, 'ori_mail')
    assert.deepEqual(await list(), before)
    assert.equal(problemIn(await call(mail))['origin'], 'mail')
    assert.match((await call(crm)).text, /usr_ann/)
  })

for (const originEra of ERAS)
  test(`${originEra} origin with one account for all: each caller uses it, and its end asks nobody to connect`, async (context) => {
    const { origin, broker, desk } = await startDesk(
      context,
      originEra,
      { auth_mode: 'shared_oauth', sessions: 'shared' },
      [''],
    )
    for (const headers of [desk.headers, desk.otherHeaders, desk.headersOf(ANN)])
      for (const era of ERAS) {
        const own = await rawClient({ url: desk.url, headers }, era, URL_CLIENT)
        assert.equal(last(await ask(own, 'tools/call')).error, undefined)
      }
    const sessions = new Set(
      origin.requests.flatMap(({ method, session }) => (method === 'tools/call' ? [session] : [])),
    )
    assert.equal(sessions.size, 1)
    assert.deepEqual(new Set(origin.requests.map(({ account }) => account)), new Set(['']))
    broker.end('', CRM)
    const problem = problemIn(await ask(await rawClient(desk, 'modern', URL_CLIENT), 'tools/call'))
    assert.deepEqual([problem['code'], problem['connect_url']], ['connect_required', undefined])
  })

for (const era of ERAS)
  test(`${era} client, legacy origin: a session is opened with a renewed token, or leads to the page`, async (context) => {
    const origin = await startAccountOrigin('legacy')
    context.after(() => origin[Symbol.asyncDispose]())
    const broker = accountBroker()
    broker.connect(ANN, CRM, origin)
    const desk = await startVirtualMcp(
      { crm: origin.url },
      { auth_mode: 'user_oauth', connections: broker.connections, people: [ANN], probeAs: ANN },
    )
    context.after(() => desk[Symbol.asyncDispose]())
    const own = await rawClient({ url: desk.url, headers: desk.headersOf(ANN) }, era)
    origin.refuse(broker.tokenOf(ANN, CRM))
    origin.forgetRequests()
    assert.match((await ask(own, 'tools/call')).text, /usr_ann/)
    const came = origin.requests.map(({ method, account }) => [method, account])
    assert.deepEqual(came.slice(0, 2), [
      ['initialize', null],
      ['initialize', ANN],
    ])
    // Of another account, so that another session is opened
    broker.connect(ANN, CRM, origin)
    origin.refuse(broker.tokenOf(ANN, CRM))
    broker.breakRenewal()
    const { code, connect_url } = problemIn(await ask(own, 'tools/call'))
    assert.deepEqual([code, connect_url], ['connect_required', PAGE])
  })

for (const originEra of ERAS) {
  test(`${originEra} origin: a probe without an account says that one is needed, and with one it reads the catalogue`, async (context) => {
    const origin = await startAccountOrigin(originEra)
    context.after(() => origin[Symbol.asyncDispose]())
    const broker = accountBroker()
    broker.connect(ANN, CRM, origin)
    const options = { auth_mode: 'user_oauth', connections: broker.connections, people: [ANN] } as const
    const desk = await startVirtualMcp({ crm: origin.url }, { ...options, probeAs: ANN })
    context.after(() => desk[Symbol.asyncDispose]())
    for (const { account } of origin.requests) assert.equal(account, ANN)
    origin.forgetRequests()
    const came = await desk.probe(origin.url, null)
    assert.deepEqual([came.found, came.needsSignIn, came.isOutage], [null, true, false])
    for (const { token } of origin.requests) assert.equal(token, null)
  })

  test(`${originEra} origin: resources are watched for each person with their own account, until it ends`, async (context) => {
    const { origin, broker, desk, client } = await startDesk(context, originEra)
    desk.watch()
    const heard: string[] = []
    const until = new AbortController()
    for (const user of [ANN, BOB]) {
      const own = await client(user, 'modern')
      const notifications = { resourceSubscriptions: ['note://me'] }
      own.ask('subscriptions/listen', { notifications }, until.signal).then(
        () => assert.fail(),
        () => heard.push(user),
      )
    }
    const watched = (): readonly string[] => [...origin.touch()].sort()
    await eventually(() => watched().join() === [ANN, BOB].join())
    broker.end(ANN, CRM)
    await eventually(() => watched().join() === BOB)
    until.abort()
    await eventually(() => heard.length === 2)
    // Postern itself has no account, and opens no stream
    for (const { method, account } of origin.requests) assert.ok(account !== null, method)
  })
}
