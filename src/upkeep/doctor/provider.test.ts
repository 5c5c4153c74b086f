import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Issuer, signingKey } from '../../../test/support/issuer.ts'
import { writeProviders } from '../../../test/support/two-providers.ts'
import { readSettings } from '../../settings.ts'
import { findProviders } from './doctor.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-doctor-providers-'))
after(() => rmSync(directory, { recursive: true }))

test('a file of providers that refuses a start is a finding that names the entry', async () => {
  const path = writeProviders(directory, [{ slug: 'partner', name: 'Partner' }])
  const settings = readSettings(['--oidc-providers-file', path], {})
  const [finding, ...more] = await findProviders(settings, true)
  assert.equal(more.length, 0)
  assert.equal(finding?.state, 'fail')
  assert.match(finding?.found ?? '', /entry 1 \("partner"\), issuer: required/)
})

test('each identity provider is tried by itself, and named by its slug', async () => {
  await using company = await new Issuer(signingKey('k1')).listen()
  const partner = await new Issuer(signingKey('k1')).listen()
  const entry = {
    ...{ slug: 'partner', name: 'Partner', issuer: partner.url },
    ...{ client_id: 'postern', client_secret_file: 'partner-secret' },
  }
  const path = writeProviders(directory, [entry])
  const settings = readSettings([], {
    POSTERN_OIDC_ISSUER: company.url,
    POSTERN_OIDC_CLIENT_ID: 'postern',
    POSTERN_OIDC_CLIENT_SECRET: 'secret',
    POSTERN_OIDC_PROVIDERS_FILE: path,
  })
  const found = async (isNetworkAsked = true) =>
    Object.fromEntries((await findProviders(settings, isNetworkAsked)).map((one) => [one.check, one]))
  const states = async () => Object.entries(await found()).map(([check, { state }]) => [check, state])

  assert.deepEqual(Object.keys(await found(false)), ['identity provider', 'identity provider partner'])
  assert.equal(company.asked.length + partner.asked.length, 0)
  partner.client = 'postern:partner-secret'
  assert.deepEqual(await states(), [
    ['identity provider', 'ok'],
    ['identity provider partner', 'ok'],
  ])

  partner.client = 'postern:another'
  const refused = (await found())['identity provider partner']!
  assert.equal(refused.state, 'fail')
  assert.ok(refused.fix?.includes(`client_auth of "partner" in ${path}`), refused.fix!)
  assert.doesNotMatch(JSON.stringify(refused), /partner-secret"|another/)

  await partner[Symbol.asyncDispose]()
  assert.deepEqual(await states(), [
    ['identity provider', 'ok'],
    ['identity provider partner', 'fail'],
  ])
  assert.match((await found())['identity provider partner']!.fix!, /^Check issuer of "partner" in /)
})
