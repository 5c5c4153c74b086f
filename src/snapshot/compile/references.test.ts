import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startControl } from '../../../test/control.ts'
import { asTexts, client, collection, delta, packed, unpacked } from '../../../test/gateway/fragments.ts'
import type { SecretReference } from '../../model/api/secret.ts'
import type { SecretSources } from '../../vault/sources.ts'
import { createOpener, type Opener } from '../../vault/vault.ts'
import type { CredentialFragment, Fragment } from '../fragments.ts'
import { linkCollection } from '../link/collection.ts'
import type { TextDelta } from '../packed-fragments.ts'
import { createReferences } from './references.ts'

/** Sources that know what stands in `texts` by path, once they were asked; `asked` waits for `gate`. */
async function starting(context: TestContext) {
  const control = await startControl()
  context.after(() => control.close())
  const { vault } = control
  const texts = new Map<string, string>()
  const seen = new Map<string, string>()
  const state = { gate: Promise.resolve() }
  const pathOf = (reference: SecretReference): string => ('vault' in reference ? reference.vault.path : '')
  const sources: SecretSources = {
    peek: (reference) => {
      const text = seen.get(pathOf(reference))
      if (text === undefined) return null
      return text === '' ? { ok: false, reason: 'gone' } : { ok: true, text }
    },
    async refresh(references) {
      await state.gate
      for (const path of references.map(pathOf)) seen.set(path, texts.get(path) ?? '')
    },
  }
  const sent: TextDelta[] = []
  const references = createReferences(vault, sources, async (delta) => {
    sent.push(delta)
    return { pending: false }
  })
  /** By the hash of a fragment with secrets: what a thread made of it, and the key that sealed it. */
  const meanings = new Map<string, string>()
  /** What was sent of credentials: ids with the secret, or why there is none. */
  const told = (): string[] => {
    // A secret that is sealed with another key than the first does not open
    const open = createOpener(vault.gatewayKey().slice(0, 48))
    return sent.splice(0).flatMap(({ put }) =>
      put.map(({ fragment, hash }) => {
        const meaning = meaningOf(fragment, open)
        const known = `${vault.keys()[0]!.id} ${meaning}`
        assert.equal(meanings.get(hash) ?? known, known)
        meanings.set(hash, known)
        assert.equal([...meanings.values()].filter((one) => one === known).length, 1, 'one hash for the same')
        return meaning
      }),
    )
  }
  return { texts, references, told, state, addKey: () => vault.addKey() }
}

function meaningOf(fragment: Fragment, open: Opener): string {
  if (fragment.kind === 'collection') {
    const { headers } = linkCollection(fragment, null, open).proxies[0]!
    return headers.fault ?? headers.text
  }
  const { id, sealed, unresolved } = fragment as CredentialFragment
  return `${id} ${unresolved ?? open(sealed['token']!, id, 'token').reveal()}`
}

const fragmentOf = (id: string, path: string): CredentialFragment => ({
  kind: 'credential',
  id,
  slug: id,
  type: 'bearer',
  settings: {},
  sealed: {},
  references: { token: { vault: { path, field: 'a' } } },
})

const deltaOf = (revision: number, ...fragments: Fragment[]): TextDelta => asTexts(delta(revision, fragments))

test('what is known goes at once, what must be asked for follows, and what is the same goes once', async (context) => {
  const { references, texts, told } = await starting(context)
  texts.set('one', '1').set('two', '2')
  await references.publish(deltaOf(1, fragmentOf('a', 'one')))
  assert.deepEqual(told(), ['a 1'])
  await references.publish(deltaOf(2, fragmentOf('b', 'one'), fragmentOf('c', 'two')))
  assert.deepEqual(told(), ['b 1', 'c 2'])
  await references.refresh()
  assert.deepEqual(told(), [])
  texts.set('two', '3')
  await references.refresh()
  assert.deepEqual(told(), ['c 3'])
  texts.delete('one')
  await references.refresh()
  assert.deepEqual(told(), ['a token: gone', 'b token: gone'])
  assert.equal(references.faultOf('a'), 'token: gone')
  assert.equal(references.faultOf('c'), null)
})

test('what was published while a source was asked is not overtaken by what was there before', async (context) => {
  const { references, texts, told, state } = await starting(context)
  texts.set('one', '1').set('two', '2')
  await references.publish(deltaOf(1, fragmentOf('a', 'one'), fragmentOf('b', 'one')))
  told()
  let open = (): void => {}
  state.gate = new Promise((resolve) => {
    open = resolve
  })
  texts.set('one', 'changed')
  const refreshed = references.refresh()
  const published = references.publish(deltaOf(2, fragmentOf('a', 'two')))
  const dropped = references.publish({ ...deltaOf(3), drop: ['credential:b'] })
  open()
  await Promise.all([refreshed, published, dropped])
  assert.deepEqual(told(), ['a 2'])
})

test('a first delta comes with everything, and a credential that is not published is read for itself', async (context) => {
  const { references, texts, told } = await starting(context)
  texts.set('one', '1').set('other', '9')
  const first = packed(delta(1, [client('acme'), fragmentOf('a', 'one'), collection('orders')]))
  const whole = await references.whole(first)
  assert.deepEqual([whole.revision, told()], [1, []])
  const [acme, orders, a] = unpacked(whole).put
  assert.deepEqual(
    [acme, orders],
    unpacked(first).put.slice(0, 2),
    'what refers to nothing stays as it is stored',
  )
  const { sealed, references: still } = a!.fragment as CredentialFragment
  assert.deepEqual([Object.keys(sealed), still], [['token'], fragmentOf('a', 'one').references])
  const read = await references.resolve(fragmentOf('z', 'other'))
  assert.equal(read.unresolved, undefined)
  assert.equal((await references.resolve(fragmentOf('z', 'none'))).unresolved, 'token: gone')
  await references.refresh()
  assert.deepEqual(told(), [])
})

test('what another key of the vault seals goes with the next change, whatever that is', async (context) => {
  const { references, texts, told, addKey } = await starting(context)
  texts.set('one', '1')
  await references.publish(deltaOf(1, fragmentOf('a', 'one')))
  told()
  await references.publish(deltaOf(2))
  assert.deepEqual(told(), [])
  addKey()
  await references.publish(deltaOf(3))
  assert.deepEqual(told(), ['a 1'])
})

test('headers of a collection are read as secrets of credentials are, each for itself', async (context) => {
  const { references, texts, told, addKey } = await starting(context)
  const inVault = (path: string) => ({ vault: { path, field: 'a' } })
  const [proxy] = collection('orders').proxies
  const orders = collection('orders', {
    headers: [
      { name: 'X-Outer', value: null },
      { name: 'X-Key', value: null },
    ],
    proxies: [{ ...proxy!, headers: [{ name: 'X-Key', value: null }] }],
    references: {
      'col_orders:headers/x-outer': inVault('one'),
      // The proxy has another one in its place
      'col_orders:headers/x-key': inVault('none'),
      'prx_get-order:headers/x-key': inVault('two'),
    },
  })
  texts.set('one', '1').set('two', '2')
  await references.publish(deltaOf(1, orders))
  assert.deepEqual(told(), ['X-Outer: 1\r\nX-Key: 2\r\n'])
  texts.set('two', 'line\nbreak')
  await references.refresh()
  assert.match(told()[0]!, /^header X-Key: the value .* cannot be sent$/)
  texts.delete('two')
  await references.refresh()
  assert.deepEqual(told(), ['header X-Key: gone'])
  texts.set('two', '3')
  await references.refresh()
  assert.deepEqual(told(), ['X-Outer: 1\r\nX-Key: 3\r\n'])
  addKey()
  await references.publish(deltaOf(2))
  assert.deepEqual(told(), ['X-Outer: 1\r\nX-Key: 3\r\n'])
  await references.publish({ ...deltaOf(3), drop: ['collection:col_orders'] })
  texts.set('two', '4')
  await references.refresh()
  assert.deepEqual(told(), [])
})
