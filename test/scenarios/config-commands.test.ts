import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { runCommand } from './cli.ts'
import { startTestServer, type TestServer, until } from './server.ts'

let server: TestServer
const directory = mkdtempSync(join(tmpdir(), 'postern-documents-'))
before(async () => {
  server = await startTestServer()
})
after(async () => {
  await server.stop()
  rmSync(directory, { recursive: true })
})

const postern = (...args: string[]) => runCommand(server.data, args)
const write = (name: string, text: string): string => {
  const file = join(directory, name)
  writeFileSync(file, text)
  return file
}

const ORDERS = `
kind: proxy
slug: get-order
spec:
  collection: orders
  name: Get order
  methods: [GET]
  path: /v1/orders/{id}
  status: published
---
kind: collection
slug: orders
spec:
  name: Orders
  base_path: /orders
  status: published
  upstream:
    targets:
      - url: \${var.UPSTREAM}
  max_body: \${var.MAX}
`

test('documents are planned, applied, edited by hand, and told apart', async () => {
  const file = write('orders.yaml', ORDERS)
  const vars = ['--var', 'UPSTREAM=http://127.0.0.1:9000', '--var', 'MAX:=1000']

  const nothing = await postern('plan', file)
  assert.equal(nothing.code, 2)
  assert.match(
    nothing.err,
    /orders\.yaml:11: .*no value for the variable (UPSTREAM|MAX); give it .+--var (UPSTREAM|MAX)=/s,
  )

  const plan = await postern('plan', file, ...vars, '--detailed')
  assert.equal(plan.code, 3, plan.err)
  assert.match(plan.out, /^\+ collection\/orders\n\+ proxy\/orders:get-order\n\n2 to create/)

  const unsure = await postern('apply', file, ...vars)
  assert.equal(unsure.code, 2)
  const applied = await postern('apply', file, ...vars, '--yes')
  assert.equal(applied.code, 0, applied.err)
  assert.match(applied.out, /2 created, 0 updated/)

  const same = await postern('diff', file, ...vars)
  assert.deepEqual(
    [same.code, same.out],
    [
      0,
      '0 to create, 0 to update, 0 to adopt, 0 to remove, 2 unchanged.\nThe documents and the instance match.\n',
    ],
  )
  await postern('collections', 'update', 'orders', '--max-body', '5')
  const drift = await postern('diff', file, ...vars)
  assert.equal(drift.code, 3)
  assert.match(drift.out, /~ collection\/orders {2}\(changed in the instance\)\n {4}~ \/max_body: 5 -> 1000/)
  assert.match(drift.out, /! collection\/orders\n {4}~ \/max_body: 1000 -> 5/)
})

test('a plan is not applied after something moved', async () => {
  const file = write('moved.yaml', 'kind: policy\nslug: moved\nspec: {name: Moved}\n')
  const plan = JSON.parse((await postern('plan', file, '-o', 'json')).out)
  await postern('policies', 'create', '--name', 'Other', '--slug', 'moved')
  const late = await postern('apply', file, '--plan', plan.plan_id)
  assert.equal(late.code, 4)
  assert.match(late.err, /policy\/moved/)
})

test('what is exported as files is planned from them without a change', async () => {
  const out = join(directory, 'exported')
  const exported = await postern('export', '--out', out)
  assert.equal(exported.code, 0, exported.err)
  assert.deepEqual(readdirSync(join(out, 'proxy', 'orders')), ['get-order.yaml'])
  const diff = await postern('diff', out, '--name', 'orders')
  assert.match(diff.out, /0 to create, 0 to update, 1 to adopt, 0 to remove/)
  const text = await postern('export', '--select', 'collection/orders')
  assert.match(text.out, /^---\nkind: collection\nslug: orders\n[\s\S]*---\nkind: proxy\n/)
  assert.equal((await postern('export', '--select', 'nothing/x')).code, 2)
})

test('a directory is applied whenever a file of it changes; a bad file leaves what was there', async (t) => {
  const folder = join(directory, 'watched')
  mkdirSync(join(folder, '.git'), { recursive: true })
  writeFileSync(join(folder, '.git', 'config.yaml'), 'no: document\n')
  const policy = (max: number | string): void => {
    const limits = `[{name: m, kind: rate, max: ${max}, window: 1m}]`
    writeFileSync(
      join(folder, 'watched.yaml'),
      `kind: policy\nslug: watched\nspec: {name: W, limits: ${limits}}\n`,
    )
  }
  const stop = Promise.withResolvers<void>()
  // Where an assertion fails, too
  t.after(() => stop.resolve())
  let told = ''
  const take = (text: string): void => {
    told += text
  }
  const own = { out: take, err: take, stopSignal: () => stop.promise }
  const maxOf = async (): Promise<unknown> =>
    (await server.manage('GET', '/policies/watched')).json.limits?.[0].max

  policy(1)
  const args = ['apply', folder, '--watch', '--yes', '--prune', '--allow-deletes', '1']
  const watching = runCommand(server.data, args, own)
  await until(maxOf, (max) => max === 1)
  policy('none')
  await eventually(() => told.includes('Nothing was changed. Still watching for changes.'))
  assert.match(told, /watched\.yaml:3 \/spec\/limits\/0\/max/)
  assert.equal(await maxOf(), 1)
  policy(2)
  await until(maxOf, (max) => max === 2)
  rmSync(join(folder, 'watched.yaml'))
  await until(
    () => server.manage('GET', '/policies/watched'),
    ({ status }) => status === 404,
  )
  stop.resolve()
  assert.equal((await watching).code, 0, told)
  assert.match(told, /Files have changed\.\n~ policy\/watched\n {4}~ \/limits[\s\S]*Stopped/)
  const mistaken = [[], ['--yes', '--dry-run'], ['--yes', '--plan', 'x']]
  for (const more of mistaken) assert.equal((await postern('apply', folder, '--watch', ...more)).code, 2)
  const nowhere = join(directory, 'nowhere')
  assert.match((await postern('apply', nowhere, '--watch', '--yes')).err, /no such file or directory/)
})

test('documents are judged without an instance, and by one', async () => {
  const wrong = write('wrong.yaml', 'kind: policy\nslug: wrong\nspec: {name: W, limit: 1}\n')
  const refused = await runCommand(join(directory, 'none'), ['validate', wrong, '--offline'])
  assert.equal(refused.code, 2)
  assert.match(refused.err, /wrong\.yaml.*limit.*unknown member/)
  const lost = write('lost.yaml', 'kind: client\nslug: lost\nspec: {name: L, collections: [nowhere]}\n')
  assert.equal((await postern('validate', lost, '--offline')).code, 0)
  const missing = await postern('validate', lost)
  assert.equal(missing.code, 2)
  assert.match(missing.err, /there is no collection "nowhere"/)
  const joined = await postern('clients', 'create', '--name', 'Joined', '--collections', 'one,two')
  assert.match(
    joined.err,
    /--collections \/0: there is no collection "one,two"; give each one as a value of its own/,
  )
  const bomb = write(
    'bomb.yaml',
    `a: &a [1,1,1,1,1,1,1,1,1,1]\n${'bcdefgh'
      .split('')
      .map((name, index) => `${name}: &${name} [${Array(10).fill(`*${'abcdefg'[index]}`).join(',')}]`)
      .join('\n')}\n`,
  )
  assert.match((await postern('validate', bomb, '--offline')).err, /aliases expand/)
  const twice = write('twice.yaml', 'kind: policy\nkind: policy\n')
  assert.match((await postern('validate', twice, '--offline')).err, /occurs twice/)
})

test('what one instance has goes to another, with the values of there', async () => {
  await using other = await startTestServer()
  await postern('policies', 'create', '--name', 'Stage http://127.0.0.1:9000', '--slug', 'stage')
  const promote = (...more: string[]) =>
    runCommand(
      server.data,
      [
        ...['promote', '--from', server.running.controlUrl, '--to', other.running.controlUrl],
        ...['--select', 'collection/orders', '--from-var', 'UPSTREAM=http://127.0.0.1:9000', ...more],
      ],
      { env: { POSTERN_FROM_TOKEN: server.adminToken, POSTERN_TO_TOKEN: other.adminToken } },
    )
  assert.equal((await promote('--yes')).code, 2)
  const done = await promote('--var', 'UPSTREAM=http://127.0.0.1:9001', '--yes')
  assert.equal(done.code, 0, done.err)
  assert.match(done.out, /2 created/)
  const { json } = await other.manage('GET', '/collections/orders')
  assert.equal(json.upstream.targets[0].url, 'http://127.0.0.1:9001')
  assert.equal(json.managed_by, 'promoted')
  assert.equal((await other.manage('GET', '/policies/stage')).status, 404)
  const again = await promote('--var', 'UPSTREAM=http://127.0.0.1:9001', '--yes')
  assert.match(again.out, /2 unchanged/)
})

test('a plan is applied as it was, and once', async () => {
  const still = write('still.yaml', 'kind: policy\nslug: still\nspec: {name: Still}\n')
  const { plan_id } = JSON.parse((await postern('plan', still, '--name', 'still', '-o', 'json')).out)
  const applied = await postern('apply', still, '--name', 'still', '--plan', plan_id)
  assert.equal(applied.code, 0, applied.err)
  assert.match(applied.out, /1 created, 0 updated/)
  const twice = await postern('apply', still, '--name', 'still', '--plan', plan_id)
  assert.notEqual(twice.code, 0, twice.out)
})
