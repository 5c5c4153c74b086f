/** What the console shows of a request for other interfaces, run as it is shown. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { type JsonObject, rowsOf } from '../../ui/build/document.ts'
import { FORMS, formOf } from '../../ui/src/show-as/forms.ts'
import { runCommand } from './cli.ts'
import { startTestServer, type TestServer } from './server.ts'

const rows = rowsOf(
  JSON.parse(readFileSync(new URL('../golden/openapi.json', import.meta.url), 'utf8')) as JsonObject,
)
const run = promisify(execFile)
let server: TestServer
before(async () => {
  server = await startTestServer({ workers: 1 })
})
after(() => server?.stop())

/** The words of a command line, as a shell reads them. */
async function wordsOf(line: string): Promise<string[]> {
  const { stdout } = await run('sh', ['-c', `printf '%s\\0' ${line}`])
  return stdout.split('\0').slice(0, -1)
}

/** Runs a form; answers what came back as JSON. */
const RUNS = {
  async curl(text: string): Promise<unknown> {
    const env = { ...process.env, POSTERN_TOKEN: server.adminToken }
    return JSON.parse((await run('sh', ['-c', `${text} -s`], { env })).stdout)
  },
  async cli(text: string): Promise<unknown> {
    const [program, ...args] = await wordsOf(text)
    assert.equal(program, 'postern')
    const { code, out, err } = await runCommand(
      server.data,
      [...args, '-y', '-o', 'json'].filter((word) => word !== '-y' || /delete/.test(text)),
    )
    assert.equal(code, 0, err)
    return JSON.parse(out)
  },
  async mcp(text: string): Promise<unknown> {
    const { params } = JSON.parse(text)
    const answer = await fetch(`${server.running.controlUrl}/management/mcp?view=full`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.adminToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ tool: params.name, arguments: params.arguments }),
    })
    return answer.json()
  },
}

/** Forms of a single request; a configuration file describes what there is to be. */
const SINGLE = FORMS.map(({ form }) => form).filter((form) => form !== 'yaml')

const shown = (
  form: (typeof FORMS)[number]['form'],
  name: string,
  input: Record<string, unknown>,
  options = {},
) => formOf(form, { operation: rows[name]!, input, options }, server.running.controlUrl)!

test('each form of a write makes the same change, and audit entries that differ by their surface alone', async () => {
  const limits = [{ name: 'minute', kind: 'rate', max: 7, window: '1m' }]
  const entries = []
  for (const form of SINGLE) {
    const input = { name: `It's ${form} "quoted" $HOME`, slug: `by-${form}`, limits }
    const answer = await RUNS[form](shown(form, 'policies.create', input, { reason: `shown as ${form}` }))
    const stored = await server.manage('GET', `/policies/by-${form}`)
    assert.equal(stored.status, 200, JSON.stringify(answer))
    assert.deepEqual([stored.json.name, stored.json.limits[0].max], [input.name, 7])
    const [entry] = (await server.manage('GET', '/audit?operation=policies.create')).json.items
    entries.push({
      surface: entry.surface,
      rest: [entry.action, entry.resource.slug, entry.outcome, entry.reason],
    })
  }
  assert.deepEqual(entries, [
    { surface: 'management_api', rest: ['CREATE', 'by-curl', 'ok', 'shown as curl'] },
    { surface: 'cli', rest: ['CREATE', 'by-cli', 'ok', 'shown as cli'] },
    { surface: 'management_mcp', rest: ['CREATE', 'by-mcp', 'ok', 'shown as mcp'] },
  ])
})

test('each form of a read with filters answers the same items', async () => {
  for (const form of SINGLE) {
    const answer = JSON.stringify(
      await RUNS[form](shown(form, 'policies.list', { text: "it's", order: 'slug' })),
    )
    assert.ok(answer.indexOf('by-cli') < answer.indexOf('by-curl'), `${form}: ${answer.slice(0, 500)}`)
    assert.ok(answer.includes('by-mcp'))
  }
})

test('no name or value of a filter is more than a word to a shell', async () => {
  for (const hostile of ['a;:', '$(:)', '`:`', "a'b", 'a b', 'a\nb', '&', '|sh', '#', '<x', '*'])
    for (const input of [{ [hostile]: 'v' }, { text: hostile }, { [hostile]: true }]) {
      const [name, value] = Object.entries(input)[0]!
      const words = await wordsOf(shown('cli', 'policies.list', input))
      const flag = `--${name.replaceAll('_', '-')}`
      const rest = value === true ? [flag] : [flag, value]
      assert.deepEqual(words, ['postern', 'policies', 'list', ...rest])
      const [program, url] = await wordsOf(shown('curl', 'policies.list', input))
      assert.equal(program, 'curl')
      assert.equal(new URL(url!).searchParams.get(name), String(value))
    }
})

test('each form changes the resource that its path names', async () => {
  for (const form of SINGLE) {
    await RUNS[form](shown(form, 'policies.update', { id: `by-${form}`, active: false }))
    assert.equal((await server.manage('GET', `/policies/by-${form}`)).json.active, false, form)
  }
})

test('the configuration file of a new resource makes the same resource, and names the same in the audit', async () => {
  const limits = [{ name: 'minute', kind: 'rate', max: 7, window: '1m' }]
  const file = join(await mkdtemp(join(tmpdir(), 'show-as-')), 'policy.yaml')
  const input = { name: 'It: "quoted" # yes', slug: 'by-file', limits }
  await writeFile(file, shown('yaml', 'policies.create', input))
  const { code, err } = await runCommand(server.data, ['apply', file, '--yes', '-o', 'json'])
  assert.equal(code, 0, err)
  const { json } = await server.manage('GET', '/policies/by-file')
  assert.deepEqual([json.name, json.limits[0].max], [input.name, 7])
  const [entry] = (await server.manage('GET', '/audit?resource_type=policies&resource=by-file')).json.items
  assert.deepEqual(
    [entry.surface, entry.action, entry.resource.slug, entry.outcome],
    ['cli', 'CREATE', 'by-file', 'ok'],
  )
})

test('what has no configuration file of its own has none: reads, and new resources without a slug', () => {
  for (const [name, input] of [
    ['policies.list', {}],
    ['policies.create', { name: 'No slug' }],
    ['policies.delete', { id: 'by-curl' }],
    ['records.get', { id: 'req_1' }],
  ] as const)
    assert.equal(
      formOf('yaml', { operation: rows[name]!, input, options: {} }, 'http://localhost'),
      null,
      name,
    )
})
