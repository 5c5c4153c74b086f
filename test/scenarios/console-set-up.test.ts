/** A new instance: from the printed link to the console. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { PASSWORD } from '../support/authorization.ts'
import { ConsoleBrowser } from '../support/console-browser.ts'
import { startTestServer } from './server.ts'

const isBuilt = existsSync(resolve(import.meta.dirname, '../../ui/dist/index.html'))
const PERSON = { name: 'Ada', email: 'ada@example.com', 'new-password': PASSWORD, repeat: PASSWORD }

test('the set-up link leads to a signed-in console, without another password', {
  skip: isBuilt ? false : 'the console is not built: npm run build',
}, async () => {
  await using server = await startTestServer({ workers: 1, adminless: true })
  const origin = server.running.controlUrl
  const browser = new ConsoleBrowser()
  const form = await browser.open((await server.running.firstLink())!.url)
  const done = await browser.submit(form, PERSON)
  const [, next] = /http-equiv="refresh" content="0;url=([^"]+)"/.exec(done.text) ?? []
  assert.equal(next, `${origin}/console/login`)
  // Another port of the host has set one before it
  const { hostname } = form.url
  const ticket = browser.cookie(hostname, 'postern_arrival')!
  browser.give(hostname, 'postern_arrival', `x; postern_arrival=${ticket}`)
  const shown = await browser.open(next)
  assert.equal(shown.url.href, `${origin}/console/`)
  const me = JSON.parse((await browser.api(origin, 'GET', '/management/v1/whoami')).text)
  assert.deepEqual([me.email, me.auth_method], ['ada@example.com', 'console_session'])

  // The ticket was used, and another browser never had it
  const other = new ConsoleBrowser()
  assert.match((await other.open(`${origin}/console/login`)).text, /name="password"/)
})
