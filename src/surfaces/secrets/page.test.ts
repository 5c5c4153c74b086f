import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { type Control, principalOf, startControl, VIA } from '../../../test/control.ts'
import { createClock } from '../../base/clock.ts'
import { Secret } from '../../base/crypto/token.ts'
import { createSecretLinks, LINK_MS, type SecretLinks } from '../../operations/engine/resource-secrets.ts'
import { createLinks } from '../../shared-state/memory/links.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import { answerSecretPage, SECRETS_ROOT } from './page.ts'

const SECRET = 'pst_pk_<the "secret">'
const SUBJECT = { type: 'profile', id: 'pro_1', slug: 'sand<box' }

describe('a one-time link', () => {
  let control: Control
  let links: SecretLinks
  let isFull = false
  const faults: unknown[] = []

  before(async () => {
    control = await startControl()
  })
  beforeEach(() => {
    const write: ConfigStore['write'] = (...work) =>
      isFull ? Promise.reject(new Error('the disk is full')) : control.store.write(...work)
    const clock = createClock(control.cell)
    links = createSecretLinks(createLinks(clock, { max: 1000, ownMax: 100 }), { write }, clock)
  })
  after(() => control.close())

  function keep(): Promise<string | null> {
    return links.keep(new Secret(SECRET), { subject: SUBJECT, member: 'token' }, principalOf('modifier'), VIA)
  }
  function ask(method: string, token: string | null) {
    const visit = { ip: '192.0.2.7', userAgent: 'browser/1', requestId: 'req_visit' }
    return answerSecretPage(links, { method, path: SECRETS_ROOT + token, ...visit }, (error) =>
      faults.push(error),
    )
  }
  async function trail(): Promise<{ operation: string; [name: string]: unknown }[]> {
    const { output } = await control.run('audit.list', { resource: 'pro_1' })
    return output['items'] as { operation: string }[]
  }

  test('shows its secret to the first who presses the button, and to nobody else', async () => {
    const token = await keep()
    for (const method of ['GET', 'HEAD', 'GET']) {
      const offered = await ask(method, token)
      assert.equal(offered.status, 200)
      assert.ok(!offered.body.includes('pst_pk_'))
      assert.equal(offered.body.includes('<form method="post">'), method === 'GET')
    }
    const [first, second] = await Promise.all([ask('POST', token), ask('POST', token)])
    assert.deepEqual([first.status, second.status], [200, 404])
    assert.match(first.body, /<code>pst_pk_&#60;the &#34;secret&#34;&#62;<\/code>/)
    assert.match(first.body, /token of profile sand&#60;box, made for modifier/)
    for (const method of ['GET', 'POST']) assert.equal((await ask(method, token)).status, 404)
  })

  test('is kept by nobody, framed by nobody and told to nobody', async () => {
    for (const { headers } of [
      await ask('GET', await keep()),
      await ask('POST', await keep()),
      await ask('GET', 'x'),
    ]) {
      assert.equal(headers['cache-control'], 'no-store')
      assert.equal(headers['referrer-policy'], 'no-referrer')
      assert.match(
        headers['content-security-policy']!,
        /^default-src 'none'; style-src 'sha256-[^;]+'; form-action 'self'; frame-ancestors 'none'/,
      )
    }
    assert.equal((await ask('DELETE', await keep())).status, 405)
  })

  test('ends after a quarter of an hour', async () => {
    const token = await keep()
    control.move(LINK_MS - 1000)
    assert.equal((await ask('GET', token)).status, 200)
    control.move(1001)
    for (const method of ['GET', 'POST']) assert.equal((await ask(method, token)).status, 404)
  })

  test('is in the trail when it is made and when it is opened, without what it holds', async () => {
    const before = (await trail()).length
    const token = await keep()
    await ask('GET', token)
    await ask('POST', token)
    const entries = (await trail()).slice(0, -before || undefined)
    assert.deepEqual(
      entries.map(({ operation }) => operation),
      ['secret_links.open', 'secret_links.create'],
    )
    assert.equal(entries[0]!['ip'], '192.0.2.7')
    assert.equal((entries[1]!['actor'] as { id: string }).id, 'tok_modifier')
    assert.ok(!JSON.stringify(entries).includes(token!))
    assert.ok(!JSON.stringify(entries).includes('pst_pk_'))
  })

  test('is not made, and not spent, without the trail', async () => {
    const token = await keep()
    isFull = true
    await assert.rejects(keep(), /disk/)
    assert.equal((await ask('POST', token)).status, 503)
    isFull = false
    assert.deepEqual([faults.length, (await ask('POST', token)).status], [1, 200])
  })

  test('is one of so many that a principal may have at once', async () => {
    const made = await Promise.all(Array.from({ length: 101 }, keep))
    assert.equal(made.filter((token) => token === null).length, 1)
    const other = { ...principalOf('admin'), id: 'tok_other' }
    assert.notEqual(
      await links.keep(new Secret('x'), { subject: SUBJECT, member: 'token' }, other, VIA),
      null,
    )
    control.move(LINK_MS)
    assert.notEqual(await keep(), null)
  })

  test('is not opened, and says so, while its memory cannot be reached', async () => {
    const token = await keep()
    const isDown = (): never => {
      throw new Error('the memory is gone')
    }
    links = createSecretLinks(
      { look: isDown, take: isDown, put: isDown },
      control.store,
      createClock(control.cell),
    )
    const before = faults.length
    for (const method of ['GET', 'POST']) {
      const { status, body } = await ask(method, token)
      assert.deepEqual([status, body.includes('Try again in a moment')], [503, true])
    }
    assert.equal(faults.length, before + 2)
  })
})
