import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { after, before, test } from 'node:test'
import { type Control, refused, startControl } from '../../test/control.ts'
import { type SigningKey, signedBy, signedWith, signingKey } from '../../test/support/issuer.ts'
import { createClock, createClockCell } from '../base/clock.ts'
import { createWorkloadTokens, type WorkloadTokens } from './workload.ts'

const ISSUER = 'https://id.example.com'
const [one, other] = [signingKey('k1', 'RS256'), signingKey('k1')]
const KEYS: Readonly<Record<string, SigningKey>> = {
  [`discovery ${ISSUER}`]: one,
  'jwks https://keys.example.com': other,
}
const RULE = {
  service_identity: 'ci',
  name: 'Main',
  issuer: ISSUER,
  audience: 'gateway',
  conditions: [{ claim: 'job.repository', equals: 'acme/orders' }],
}

let control: Control
let workloads: WorkloadTokens
const asked: string[] = []
before(async () => {
  control = await startControl()
  for (const slug of ['ci', 'second']) await control.run('service_identities.create', { name: slug, slug })
  await control.run('trust_rules.create', RULE)
  workloads = createWorkloadTokens(control.store.read, createClock(createClockCell()), (source) => {
    asked.push(source)
    const key = KEYS[source]
    if (key === undefined) return { ok: false, reason: 'unreachable' }
    return { ok: true, keys: [{ kid: key.kid, alg: key.alg, key: createPublicKey(key.key) }] }
  })
})
after(() => control.close())

const claims = (more: object = {}) => ({
  iss: ISSUER,
  aud: 'gateway',
  job: { repository: 'acme/orders' },
  exp: Math.floor(Date.now() / 1000) + 300,
  ...more,
})
const verify = (token: string) => workloads.verify(token)

test('claims in a list, below another and beside further audiences are read as the rule means them', async () => {
  for (const more of [{}, { aud: ['x', 'gateway'] }, { job: { repository: ['acme/x', 'acme/orders'] } }])
    assert.equal((await verify(signedBy(one, claims(more)))).name, 'ci')
})

const pem = createPublicKey(one.key).export({ type: 'spki', format: 'pem' })
const WRONG: Readonly<Record<string, () => string>> = {
  'the public key as a shared secret': () => signedWith(String(pem), claims(), { kid: 'k1' }),
  'another algorithm of the key': () => signedBy(one, claims(), { alg: 'RS512' }),
  'a key in its own header': () => {
    const own = signingKey('k1')
    return signedBy(own, claims(), { jwk: own.jwk })
  },
  'the issuer with a slash': () => signedBy(one, claims({ iss: `${ISSUER}/` })),
  'the issuer in capitals': () => signedBy(one, claims({ iss: 'https://ID.example.com' })),
  'a list of issuers': () => signedBy(one, claims({ iss: [ISSUER] })),
  'an audience that is an object': () => signedBy(one, claims({ aud: { gateway: true } })),
  'an audience that begins alike': () => signedBy(one, claims({ aud: 'gateway2' })),
  'a claim that is an object': () => signedBy(one, claims({ job: { repository: { 0: 'acme/orders' } } })),
  'a list where an object stands': () => signedBy(one, claims({ job: [{ repository: 'acme/orders' }] })),
  'a dotted claim before the nested one': () => signedBy(one, claims({ 'job.repository': 'acme/other' })),
  'a member twice': () => signedBy(one, JSON.stringify(claims()).replace('{', '{"aud":"elsewhere",')),
  'an end as text': () => signedBy(one, claims({ exp: '9999999999' })),
  'too many bytes': () => signedBy(one, claims({ filler: 'x'.repeat(9000) })),
  'a header that must be understood': () => signedBy(one, claims(), { crit: ['b64'], b64: false }),
}
for (const [what, make] of Object.entries(WRONG))
  test(`a token with ${what} proves nothing`, async () => {
    await refused(verify(make()), 'credential_invalid')
  })

test('an issuer may be told of by several key sets, in any order', async () => {
  await control.run('trust_rules.create', {
    ...RULE,
    name: 'Elsewhere',
    jwks_url: 'https://keys.example.com',
  })
  for (const key of [one, other]) assert.equal((await verify(signedBy(key, claims()))).name, 'ci')
  asked.length = 0
  await refused(verify(signedBy(signingKey('k1'), claims())), 'credential_invalid')
  assert.deepEqual(asked, Object.keys(KEYS))
})

test('a rule of another identity counts however many there are before it', async () => {
  const made = await control.run('trust_rules.create', {
    ...RULE,
    service_identity: 'second',
    conditions: [{ claim: 'job.repository', glob: 'acme/*' }],
  })
  const rule = (await control.store.read.byId('trust_rules', String(made.output['id'])))!
  const away = { ...rule.spec, conditions: [{ claim: 'job.repository', equals: 'acme/x' }] }
  await control.store.write(async (writer) => {
    for (let index = 0; index < 1000; index++) {
      const id = `tru_${String(index).padStart(26, '0')}`
      await writer.insert({ ...rule, id, slug: `rule-${index}`, spec: away })
    }
  })
  await refused(verify(signedBy(one, claims())), 'credential_invalid')
  await control.run('trust_rules.delete', { id: 'second:main' }, { confirm: 'main' })
  assert.equal((await verify(signedBy(one, claims()))).name, 'ci')
})
