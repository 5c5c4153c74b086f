/** Sign-ins that end while a request of theirs is under way. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import {
  addUser,
  authorization,
  choose,
  consent,
  REDIRECT,
  register,
  startAuthorization,
} from '../../../test/support/authorization.ts'
import { ConsoleBrowser } from '../../../test/support/console-browser.ts'
import { openTestStore } from '../../../test/support/test-database.ts'
import { createEndings, SignInEnded } from './ended-sign-ins.ts'

/** Of the next question for the document of a client. */
let held = { asked: Promise.withResolvers<void>(), may: Promise.withResolvers<void>() }
const server = await startAuthorization({
  async fetchPublic(url) {
    held.asked.resolve()
    await held.may.promise
    const value = { client_id: url, redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' }
    return { value, headers: {} }
  },
})
after(() => server[Symbol.asyncDispose]())
const { origin, manage } = server
const client = await register(origin)

let count = 0
/** Opens a page that waits for the document of a client, until `meanwhile` is done. */
async function openWhile<T>(open: (url: URL) => Promise<T>, meanwhile: () => Promise<unknown>): Promise<T> {
  held = { asked: Promise.withResolvers(), may: Promise.withResolvers() }
  const shown = open(authorization(origin, `https://slow.example/${++count}.json`).url)
  await held.asked.promise
  await meanwhile()
  held.may.resolve()
  return shown
}

async function changePassword(name: string): Promise<void> {
  const { body } = await manage('POST', `/users/${name}/invite`, {})
  await choose(server.browser(), body.set_up_url, {})
}

test('a session stays ended that a new password ends while a request of it waits, and the request gets nothing', async () => {
  await addUser(server, 'gil')
  const browser = server.browser()
  await consent(browser, authorization(origin, client).url, 'gil')
  const late = await openWhile(
    (url) => browser.open(url),
    () => changePassword('gil'),
  )
  assert.equal(late.status, 400)
  assert.match(late.text, /This sign-in has ended. Sign in again/)
  assert.equal(late.url.origin, origin)
  const page = await browser.open(authorization(origin, client).url)
  assert.match(page.text, /name="password"/)
  assert.deepEqual(server.faults, [])
})

test('a session stays ended that a sign-out at the console ends while a request of it waits', async () => {
  const browser = new ConsoleBrowser()
  await browser.signIn(origin, 'ann')
  assert.match((await browser.open(authorization(origin, client).url)).text, /value="allow"/)
  const late = await openWhile(
    (url) => browser.open(url),
    async () => assert.equal((await browser.api(origin, 'POST', '/console/logout')).status, 204),
  )
  assert.equal(late.status, 400)
  assert.match((await browser.open(authorization(origin, client).url)).text, /name="password"/)
})

test('only what began before an ending is refused, of that person and that session alone', async () => {
  const store = await openTestStore(join(server.directory, 'endings.db'))
  const endings = createEndings(store)
  const times = { created_at: 1, expires_at: null, used_at: null }
  const put = (account_id: string, other_id: string | null = null): Promise<void> =>
    endings.store.writeOAuth((oauth) =>
      oauth.put({
        kind: 'Session',
        id: account_id,
        sealed: '',
        grant_id: null,
        other_id,
        account_id,
        ...times,
      }),
    )
  const connect = (user: string): Promise<void> =>
    endings.store.writeOAuth(({ connections }) =>
      connections.put({
        ...{ user, origin: 'org_a', id: 'con_a', kind: 'key', state: 'connected', active: true },
        ...{ account_label: '', issuer: '', scope: '', sealed: '', expires_at: null },
        ...{ created_at: 1, updated_at: 1 },
      }),
    )
  await endings.within(async () => {
    await put('ann')
    await connect('ann')
    await store.writeOAuth((oauth) => oauth.removeOfAccount('ann', 5))
    await store.writeOAuth((oauth) => oauth.noteEnding('browser', 5))
    await assert.rejects(put('ann'), SignInEnded)
    await assert.rejects(connect('ann'), SignInEnded)
    await assert.rejects(put('bob', 'browser'), SignInEnded)
    await put('bob', 'another')
    await connect('bob')
    await endings.within(() => put('ann'))
  })
  assert.equal(await store.read.oauth.artifact('Session', 'ann').then((found) => found?.account_id), 'ann')
  await put('ann')
  await store.close()
})
