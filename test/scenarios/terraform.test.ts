/** The requests of a generic REST provider of Terraform, for the resources of docs/terraform.md. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { call, startTestServer } from './server.ts'

const page = readFileSync(resolve(import.meta.dirname, '../../docs/terraform.md'), 'utf8')

interface Declared {
  readonly data: Record<string, unknown>
  /** Below the API, with the id put in. */
  readonly create: string
  readonly read: string
  readonly update: string
  readonly destroy: string
}

/** A resource of the page, with the defaults of the provider for what it leaves out. */
function declared(block: string): Declared {
  const given = (name: string): string | undefined =>
    new RegExp(`^ {2}${name} += "([^"]*)"$`, 'm').exec(block)?.[1]
  const data = JSON.parse(/<<-JSON\n([\s\S]*?)\n {2}JSON/.exec(block)![1]!)
  const below = (name: string): string =>
    (given(`${name}_path`) ?? `${given('path')}/{id}`).replaceAll('{id}', data.slug)
  return {
    data,
    create: below('create'),
    read: below('read'),
    update: below('update'),
    destroy: below('destroy'),
  }
}

const resources = [...page.matchAll(/^resource "restapi_object" .*\n([\s\S]*?)^}/gm)].map(([, block]) =>
  declared(block!),
)

/** What a provider finds changed that compares each member that was sent. */
function missing(sent: unknown, got: unknown): boolean {
  if (typeof sent !== 'object' || sent === null) return sent !== got
  if (typeof got !== 'object' || got === null) return true
  return Object.entries(sent).some(([name, value]) => missing(value, (got as Record<string, unknown>)[name]))
}

test('what PUT made, GET returns, a second PUT leaves as it is, and DELETE removes', async (t) => {
  assert.equal(resources.length, 3)
  const server = await startTestServer()
  t.after(() => server.stop())
  const ask = (method: string, path: string, body?: unknown) =>
    call(method, `${server.running.controlUrl}/management/v1${path}`, {
      token: server.adminToken,
      ...(body === undefined ? {} : { body }),
    })
  for (const { data, create, read, update } of resources) {
    const made = await ask('PUT', create, data)
    assert.equal(made.status, 201, made.text)
    const got = await ask('GET', read)
    assert.ok(!missing(data, got.json), `${JSON.stringify(data)} ${got.text}`)
    const again = await ask('PUT', update, data)
    assert.equal(again.status, 200, again.text)
    assert.deepEqual((await ask('GET', read)).json, got.json)
  }
  for (const { read, destroy } of resources.toReversed()) {
    assert.ok([200, 204].includes((await ask('DELETE', destroy)).status))
    assert.equal((await ask('GET', read)).status, 404)
  }
})
