import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, test } from 'node:test'
import { sampleOperations } from '../../../test/fixtures/sample-operations.ts'
import { cliPorts } from '../../../test/support/cli-ports.ts'
import type { CliPorts } from './ports.ts'
import { runCli } from './program.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-completion-'))
after(() => rmSync(directory, { recursive: true }))

async function postern(line: string, own: Partial<CliPorts> = {}) {
  const ports = cliPorts({ operations: sampleOperations, ...own })
  return { code: await runCli(ports, line.split(' ')), ...ports.printed }
}

/** What bash offers for the last word of each line. */
function offered(script: string, lines: readonly (readonly string[])[]): string[][] {
  const ask = lines.map(
    (words) =>
      `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _postern; echo "\${COMPREPLY[*]}"`,
  )
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-eu'], {
    input: [script, 'set +e', ...ask].join('\n'),
    encoding: 'utf8',
    env: { PATH: `${directory}${delimiter}${process.env['PATH']}` },
  })
  assert.equal(status, 0, stderr)
  assert.equal(stderr, '')
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ').filter((word) => word !== ''))
}

test('bash offers commands, flags, values of flags and slugs of resources', async () => {
  const stub = join(directory, 'postern')
  writeFileSync(
    stub,
    '#!/bin/sh\n[ "$1 $2" = "complete-slugs gadgets" ] && printf "lamp\\nlast\\nchair\\n"\n',
  )
  chmodSync(stub, 0o755)
  const { code, out } = await postern('completion bash')
  assert.equal(code, 0)
  const [commands, operations, flags, formats, joined, slugs, none, shells, nested] = offered(out, [
    ['postern', 'ga'],
    ['postern', 'gadgets', 'l'],
    ['postern', '-o', 'json', 'gadgets', 'list', '--l'],
    ['postern', 'gadgets', 'list', '-o', ''],
    ['postern', 'gadgets', 'list', '--output', '=', 'y'],
    ['postern', 'gadgets', 'get', '-o', 'json', 'la'],
    ['postern', 'gadgets', 'get', 'lamp', 'la'],
    ['postern', 'completion', ''],
    ['postern', 'context', 'u'],
  ])
  assert.deepEqual(commands, ['gadgets'])
  assert.deepEqual(operations, ['list'])
  assert.deepEqual(flags, ['--limit', '--live'])
  assert.deepEqual(formats, ['table', 'json', 'yaml'])
  assert.deepEqual(joined, ['yaml'])
  assert.deepEqual(slugs, ['lamp', 'last'])
  assert.deepEqual(none, [])
  assert.deepEqual(shells, ['bash', 'zsh', 'fish'])
  assert.deepEqual(nested, ['use'])
})

test('slugs come from the instance, and where none can be asked nothing is said', async () => {
  const env = { POSTERN_URL: 'http://127.0.0.1:1', POSTERN_TOKEN: 'x' }
  const answering: typeof fetch = async () => Response.json({ items: [{ slug: 'lamp' }, { slug: '$(rm)' }] })
  assert.equal((await postern('complete-slugs gadgets', { env, fetch: answering })).out, 'lamp\n')
  for (const ports of [{ env }, { env: { POSTERN_DATA: directory } }])
    assert.deepEqual(await postern('complete-slugs gadgets', ports), { code: 0, out: '', err: '' })
  assert.deepEqual(await postern('complete-slugs widgets'), { code: 0, out: '', err: '' })
  assert.doesNotMatch((await postern('--help')).out, /complete-slugs/)
})

test('the scripts of the other shells name the same commands', async () => {
  const fish = (await postern('completion fish')).out
  assert.match(fish, /^complete -c postern -f -n __fish_use_subcommand -a gadgets -d '.+'$/m)
  assert.match(fish, /^complete .*from gadgets; and __fish_seen_subcommand_from list' -s o -l output -x -a /m)
  for (const command of ['context', 'completion', 'login'])
    assert.match(
      fish,
      new RegExp(`^complete -c postern -f -n __fish_use_subcommand -a ${command} -d '.+'$`, 'm'),
    )
  const zsh = (await postern('completion zsh')).out
  assert.match(zsh, /^#compdef postern\n[\s\S]*bashcompinit[\s\S]*_postern\(\)/)
  assert.ok(zsh.includes((await postern('completion bash')).out.trim()))
  assert.equal((await postern('completion tcsh')).code, 2)
})
