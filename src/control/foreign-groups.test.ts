import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startControl } from '../../test/control.ts'
import { createClock } from '../base/clock.ts'
import { createAccounts } from '../operations/access/accounts.ts'
import { forgetForeignGroups } from './foreign-groups.ts'

const COMPANY = 'https://id.example'
const PARTNER = 'https://partner.example'

test('groups with the slug of a provider stay with its own users, and are removed from all others', async () => {
  const control = await startControl()
  const { read } = control.store
  const accounts = createAccounts(read, createClock(control.cell), control.invoke)
  const came = (issuer: string, subject: string, groups: readonly string[]) =>
    accounts.arrive({
      issuer,
      subject,
      email: `${subject}@example.com`,
      name: subject,
      groups,
      grants: ['viewer'],
    })
  await came(COMPANY, 'ann', ['partner/devs', 'partners/devs', 'devs'])
  await came(PARTNER, 'bob', ['partner/devs'])
  await came('https://before.example', 'eve', ['partner/devs', 'other/devs'])
  const groups = async () =>
    Object.fromEntries((await read.all('users')).map(({ slug, spec }) => [slug, spec['groups']]))
  const revisions = async () => (await read.all('users')).map(({ revision }) => revision)
  const first = { slug: null, issuer: COMPANY }
  const partner = { slug: 'partner', issuer: PARTNER }

  const before = await revisions()
  await forgetForeignGroups([first], read, accounts)
  assert.deepEqual(await revisions(), before)
  await forgetForeignGroups([first, partner], read, accounts)
  assert.deepEqual(await groups(), {
    ann: ['partners/devs', 'devs'],
    bob: ['partner/devs'],
    eve: ['other/devs'],
  })
  const [ann] = await read.bySlug('users', 'ann')
  assert.deepEqual([ann?.spec['email'], ann?.spec['mapped_grants']], ['ann@example.com', ['viewer']])
  const after = await revisions()
  await forgetForeignGroups([first, partner], read, accounts)
  assert.deepEqual(await revisions(), after)
  await control.close()
})
