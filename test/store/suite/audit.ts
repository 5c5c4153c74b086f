import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuditEntry } from '../../../src/model/access/audit.ts'
import { CHAIN_START, keyedLink } from '../../../src/store/ports/audit-chain.ts'
import type { AuditFilter, ConfigStore } from '../../../src/store/ports/config.ts'
import { turnsDuring } from '../../support/main-thread.ts'
import { entry, LINK_KEY, type MakePlace, plain, sealed } from '../place.ts'

const append = (store: ConfigStore, ...entries: readonly AuditEntry[]): Promise<void> =>
  store.write(async (writer) => {
    for (const one of entries) await writer.appendAudit(one)
  })

/** The audit trail. */
export function auditSuite(name: string, make: MakePlace): void {
  test(`${name}: audit entries can be neither changed nor deleted, nor replaced`, async () => {
    const place = await make()
    const store = await place.open()
    await sealed(store)
    await append(store, entry('aud_1'))
    await store.close()
    await using tamper = await place.tamper()
    await assert.rejects(tamper.execute("update audit set entry = '{}'"), /never changed/)
    await assert.rejects(tamper.execute('delete from audit'), /never deleted/)
    await assert.rejects(tamper.execute("update audit_chain set hash = 'x'"), /never changed/)
    await assert.rejects(tamper.execute('delete from audit_chain'), /never deleted/)
  })

  test(`${name}: a filter looks through the trail in parts, and finds the same in all orders and pages`, async () => {
    const store = await (await make()).open()
    await sealed(store)
    const names = Array.from({ length: 1203 }, (_, at) => `aud_${String(at).padStart(4, '0')}`)
    await append(
      store,
      ...names.map((id, at) => entry(id, { reason: at % 400 === 1 ? 'rare' : 'usual', outcome: 'ok' })),
    )
    const rare = names.filter((_, at) => at % 400 === 1)
    for (const filter of [{ reason: 'RARE' }, { text: 'rare' }]) {
      const pages = async (order: 'newest' | 'oldest', limit: number): Promise<string[]> => {
        const found: string[] = []
        for (let last: number | undefined; ; ) {
          const query = { ...filter, order, limit, ...(last === undefined ? {} : { last }) }
          const { items, next } = await store.read.auditEntries(query)
          assert.ok(items.length <= limit)
          found.push(...items.map(({ id }) => id))
          if (next === null) return found
          last = next
        }
      }
      for (const limit of [1, 2, 3, 50]) {
        assert.deepEqual(await pages('oldest', limit), rare)
        assert.deepEqual(await pages('newest', limit), rare.toReversed())
      }
    }
    const turns = await turnsDuring(() => store.read.auditEntries({ text: 'no such text', limit: 50 }))
    assert.ok(turns >= 3, `${turns} turns`)
    await store.close()
  })

  test(`${name}: numbers follow each other without a gap, whatever was undone between them`, async () => {
    const place = await make()
    let store = await place.open()
    await sealed(store)
    await append(store, entry('aud_1'))
    await store.write((writer) => writer.appendAudit(entry('aud_x')), { rollback: true })
    await assert.rejects(
      store.write(async (writer) => {
        await writer.appendAudit(entry('aud_y'))
        throw new Error('undone')
      }),
      /undone/,
    )
    // The same id twice
    await assert.rejects(append(store, entry('aud_2'), entry('aud_2')))
    await append(store, entry('aud_2'))
    await store.close()
    store = await place.open()
    await sealed(store)
    await append(store, entry('aud_3'))
    const links = await store.read.auditLinks(0, 10)
    assert.deepEqual(
      links.map(({ seq, id }) => [seq, id]),
      [
        [1, 'aud_1'],
        [2, 'aud_2'],
        [3, 'aud_3'],
      ],
    )
    let before = CHAIN_START
    for (const { hash, columns, isFindable } of links) {
      assert.equal(keyedLink(LINK_KEY, before, columns!), hash)
      assert.equal(isFindable, true)
      before = hash!
    }
    assert.deepEqual(plain(await store.read.lastAuditLink()), { seq: 3, hash: before })
    assert.deepEqual(
      (await store.read.auditLinks(1, 1)).map(({ seq }) => seq),
      [2],
    )
    await store.close()
  })

  test(`${name}: the mark moves to the last entry of each transaction that adds one or counts a revision, and of no other`, async () => {
    const store = await (await make()).open()
    await assert.rejects(append(store, entry('aud_0')), /has no key yet/)
    const moves = await sealed(store)
    await store.write(async (writer) => {
      await writer.nextRevision()
      await writer.appendAudit(entry('aud_1'))
      await writer.appendAudit(entry('aud_2'))
    })
    await store.write((writer) => writer.appendAudit(entry('aud_3')), { rollback: true })
    await assert.rejects(
      store.write(async (writer) => {
        await writer.appendAudit(entry('aud_3'))
        throw new Error('on purpose')
      }),
      /on purpose/,
    )
    await store.write((writer) => writer.setMeta('a', 'b'))
    await append(store, entry('aud_3'))
    const last = await store.read.lastAuditLink()
    assert.deepEqual(
      moves.map(({ seq, revision }) => [seq, revision]),
      [
        [2, 1],
        [last!.seq, 1],
      ],
    )
    assert.equal(moves.at(-1)!.hash, last!.hash)
    await store.close()
  })

  test(`${name}: an entry does not follow what another program has written`, async () => {
    const place = await make()
    const store = await place.open()
    await sealed(store)
    await append(store, entry('aud_1'), entry('aud_2'))
    {
      await using tamper = await place.tamper()
      await tamper.unguardAudit()
      await tamper.execute('delete from audit_chain where seq = 2')
    }
    await assert.rejects(append(store, entry('aud_3')), (error: Error) => {
      assert.equal((error as { fault?: string }).fault, 'changed')
      return true
    })
    assert.equal(store.fault?.fault, 'changed')
    await store.probe()
    assert.equal(store.fault?.fault, 'changed')
    const [first, second] = await store.read.auditLinks(0, 10)
    assert.deepEqual([first?.hash === null, second?.hash === null], [false, true])
    await store.close()
  })

  test(`${name}: entries say of which environment the instance was when they were written`, async () => {
    const place = await make()
    for (const [id, environment] of [
      ['aud_1', 'staging'],
      ['aud_2', null],
    ] as const) {
      const store = await place.open(environment)
      await sealed(store)
      await append(store, entry(id))
      await store.close()
    }
    const store = await place.open()
    const { items } = await store.read.auditEntries({ limit: 10 })
    assert.deepEqual(
      items.map(({ id, environment }) => [id, environment]),
      [
        ['aud_2', null],
        ['aud_1', 'staging'],
      ],
    )
    await store.close()
  })

  test(`${name}: each filter of the trail finds what it asks for, alone and with others`, async () => {
    const store = await (await make()).open()
    await sealed(store)
    const bare = entry('aud_1', { time: '2026-01-01T00:00:00.000Z', reason: null })
    const full = entry('aud_2', {
      time: '2026-01-02T00:00:00.000Z',
      actor: { id: 'usr_1', type: 'user', name: 'Ann', auth_method: 'oidc' },
      agent: { name: 'claude', version: '1.2', session_id: 'mcp-1', conversation_id: 'talk-1' },
      surface: 'management_api',
      operation: 'proxies.update',
      action: 'UPDATE',
      resource: { type: 'proxy', id: 'prx_1', slug: 'get', collection: 'col_1' },
      revision_before: 3,
      revision_after: 4,
      config_revision: 9,
      diff: [{ op: 'replace', path: '/name', from: '/a "b"', value: 'New 100%' }],
      plan_id: 'pln_1',
      reason: '100% SURE_thing',
      approver: { id: 'usr_2', type: 'user', name: 'Bob' },
      http: { method: 'PATCH', url: '/management/v1/proxies/Get?x=1', status: 422 },
      ip: '192.0.2.7',
      user_agent: 'Curl/8',
      request_id: 'req_1',
      outcome: 'failed',
      error: 'input_invalid',
      detail: 'No such thing',
      request: { name: 'Sent' },
      response: { title: 'Answered' },
    })
    await store.write(async (writer) => {
      await writer.appendAudit(bare)
      await writer.appendAudit(full, 'orders')
    })
    const { read } = store
    const found = async (filter: Partial<AuditFilter>) =>
      (await read.auditEntries({ limit: 10, ...filter })).items.map(({ id }) => id)
    const filters: readonly Partial<AuditFilter>[] = [
      { resource_type: 'proxy' },
      { resource: 'prx_1' },
      { resource: 'get' },
      { actions: ['UPDATE', 'DELETE'] },
      { actor: 'usr_1' },
      { actor: 'Ann' },
      { approver: 'usr_2' },
      { approver: 'Bob' },
      { operation: 'proxies.update' },
      { surface: 'management_api' },
      { outcome: 'failed' },
      { actor_type: 'user' },
      { auth_method: 'oidc' },
      { agent: 'claude' },
      { agent_version: '1.2' },
      { session_id: 'mcp-1' },
      { conversation_id: 'talk-1' },
      { method: 'PATCH' },
      { ip: '192.0.2.7' },
      { request_id: 'req_1' },
      { plan_id: 'pln_1' },
      { error: 'input_invalid' },
      { statuses: { exact: [422], hundreds: [] } },
      { statuses: { exact: [500], hundreds: [4] } },
      { revision: 3 },
      { revision: 4 },
      { config_revision: 9 },
      { reason: '100% sure_' },
      { path_contains: 'proxies/get?' },
      { user_agent: 'curl' },
      { detail: 'SUCH' },
      { diff: 'new 100%' },
      { diff: 'a \\"b\\"' },
      { request: 'sent' },
      { response: 'answered' },
      { text: 'Sent' },
      { text: 'ANSWERED' },
      { text: '"usr_2"' },
      { collection: 'col_1' },
      { collection: 'orders' },
      { collections: ['col_0', 'col_1'] },
      { from: '2026-01-02T00:00:00.000Z' },
    ]
    for (const filter of filters) assert.deepEqual(await found(filter), ['aud_2'], JSON.stringify(filter))
    const all = Object.assign({}, ...filters) as Partial<AuditFilter>
    assert.deepEqual(await found(all), ['aud_2'])
    assert.deepEqual(await found({ ...all, bodies: true }), ['aud_2'])
    for (const filter of [
      { reason: '100%sure' },
      { reason: 'sure%thing' },
      { statuses: { exact: [42], hundreds: [5] } },
      { collections: [] },
      { revision: 9 },
      { diff: 'sure' },
      { last: 2, request_id: 'req_1' },
    ] as const)
      assert.deepEqual(await found(filter), [], JSON.stringify(filter))
    assert.deepEqual(await found({ to: '2026-01-02T00:00:00.000Z' }), ['aud_1'])
    const [listed] = (await read.auditEntries({ limit: 1, bodies: true })).items
    assert.deepEqual(listed, { ...full, environment: null })
    assert.deepEqual(await read.auditEntry('aud_2'), listed)
    const { request: _request, response: _response, ...rest } = full
    assert.deepEqual((await read.auditEntries({ limit: 1 })).items, [rest])
    await store.close()
  })

  test(`${name}: pages of the trail go back from the newest entry, with and without filters`, async () => {
    const store = await (await make()).open()
    await sealed(store)
    await append(
      store,
      ...Array.from({ length: 9 }, (_, n) =>
        entry(`aud_${n}`, {
          request_id: n % 2 === 0 ? 'even' : 'odd',
          surface: n < 6 ? 'management_api' : 'cli',
        }),
      ),
    )
    const pages = async (filter: Partial<AuditFilter>) => {
      const seen: string[] = []
      for (let last: number | null | undefined; last !== null; ) {
        const page = await store.read.auditEntries({
          limit: 2,
          ...filter,
          ...(last === undefined ? {} : { last }),
        })
        seen.push(page.items.map(({ id }) => id.slice(4)).join(''))
        last = page.next
      }
      return seen.join(' ')
    }
    assert.equal(await pages({}), '87 65 43 21 0')
    assert.equal(await pages({ request_id: 'even' }), '86 42 0')
    assert.equal(await pages({ request_id: 'odd', surface: 'management_api' }), '53 1')
    assert.equal(await pages({ surface: 'cli' }), '87 6')
    await store.close()
  })

  test(`${name}: what filters look in is written anew where it was changed`, async () => {
    const place = await make()
    const store = await place.open()
    await sealed(store)
    await append(store, ...[1, 2, 3].map((n) => entry(`aud_${n}`, { request_id: `req_${n}` })))
    {
      await using tamper = await place.tamper()
      await tamper.execute("update audit_filters set request_id = 'hidden' where seq = 1")
      await tamper.execute('delete from audit_filters where seq = 2')
    }
    const findable = async () => (await store.read.auditLinks(0, 10)).map(({ isFindable }) => isFindable)
    assert.deepEqual(await findable(), [false, false, true])
    await store.write((writer) => writer.mendAuditFilters())
    assert.deepEqual(await findable(), [true, true, true])
    for (const n of [1, 2]) {
      const { items } = await store.read.auditEntries({ limit: 5, request_id: `req_${n}` })
      assert.equal(items.length, 1)
    }
    await store.close()
  })

  test(`${name}: retention lets go of what an anchor covers, and of nothing else`, async () => {
    const place = await make()
    const store = await place.open()
    await sealed(store)
    const day = (n: number) => `2026-01-0${n}T00:00:00.000Z`
    await append(store, ...[1, 2, 3].map((n) => entry(`aud_${n}`, { time: day(n) })))
    const { read } = store
    assert.deepEqual(plain(await read.oldestAudit()), { seq: 1, time: day(1) })
    assert.deepEqual(
      [
        await read.lastAuditBefore(day(1)),
        await read.lastAuditBefore(day(3)),
        await read.lastAuditBefore('2027'),
      ],
      [null, 2, 3],
    )
    const link = (await read.auditLinks(1, 1))[0]!
    await store.write((writer) =>
      writer.putCheckpoint({ seq: 2, hash: link.hash!, time: day(4), key: 'k', signature: 's' }),
    )
    await append(store, entry('aud_4', { time: day(4), operation: 'audit.retention' }))
    const head = (await read.lastAuditLink())!
    const anchor = {
      seq: 2,
      hash: link.hash!,
      entries: 2,
      head_seq: head.seq,
      head_hash: head.hash,
      time: day(4),
      key: 'k',
      signature: 's',
    }
    for (const wrong of [{ entries: 1 }, { hash: 'x' }, { head_hash: 'x' }, { seq: 3, entries: 3 }])
      await assert.rejects(store.write((writer) => writer.cutAudit({ ...anchor, ...wrong })))
    await store.write((writer) => writer.cutAudit(anchor))
    assert.deepEqual((await read.auditAnchors()).map(plain), [anchor])
    assert.deepEqual(await read.checkpoints(), [])
    assert.deepEqual(plain(await read.oldestAudit()), { seq: 3, time: day(3) })
    assert.deepEqual(
      (await read.auditLinks(0, 10)).map(({ seq, isFindable }) => [seq, isFindable]),
      [
        [3, true],
        [4, true],
      ],
    )
    await append(store, entry('aud_5'))
    assert.equal((await read.lastAuditLink())?.seq, 5)
    const keyAnchor = { seq: 1, hash: 'h', time: day(1), mac: 'm' }
    assert.equal(await read.auditKeyAnchor(), undefined)
    await store.write((writer) => writer.putAuditKeyAnchor(keyAnchor))
    await assert.rejects(store.write((writer) => writer.putAuditKeyAnchor(keyAnchor)))
    assert.deepEqual(plain(await read.auditKeyAnchor()), keyAnchor)
    await store.close()
    await using tamper = await place.tamper()
    await assert.rejects(tamper.execute('delete from audit_key_anchor'), /never deleted/)
    await assert.rejects(tamper.execute("update audit_key_anchor set hash = 'x'"), /never changed/)
    await assert.rejects(tamper.execute('delete from audit where seq = 3'), /never deleted/)
  })
}
