import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faultOfCode, faultOfPackage } from './pinned.ts'

const words = (line: string): [string, string[]] => {
  const [program, ...args] = line.split(' ')
  return [program!, args]
}

test('a package with an exact version passes', () => {
  for (const line of [
    '/usr/bin/npx -y @scope/server@1.2.3 /data',
    '/usr/bin/npx --yes server@1.2.3-beta.1',
    '/usr/bin/npx -p server@1.2.3 -p @a/b@0.0.1 command --flag value',
    '/usr/bin/npx --package=server@1.2.3 command',
    '/usr/bin/npm exec --yes -- server@1.2.3 x',
    '/usr/bin/npm --silent exec server@1.2.3',
    '/usr/bin/pnpm dlx server@1.2.3',
    '/usr/bin/yarn dlx -p server@1.2.3 command',
    '/usr/bin/bunx server@1.2.3',
    '/usr/bin/uvx server==1.2.3',
    '/usr/bin/uvx server@2026.8.31 --root /data',
    '/usr/bin/uvx --from server[cli]==1.2 command',
    '/usr/bin/uv tool run server==1.2rc1',
    '/usr/bin/pipx run --spec server==1.2.3 command',
    '/usr/bin/node /usr/lib/node_modules/npm/bin/npx-cli.js server@1.2.3',
    '/usr/bin/npm start',
    '/usr/bin/uv run server.py',
    '/usr/local/bin/mcp-server /data',
    '/usr/bin/node server.js npx-like',
    '/usr/bin/setpriv --pdeathsig KILL /usr/local/bin/server',
  ])
    assert.equal(faultOfPackage(...words(line)), null, line)
})

test('a package without an exact version is refused with the fix, however it is called', () => {
  for (const line of [
    '/usr/bin/npx',
    '/usr/bin/npx -y @scope/server',
    '/usr/bin/npx -y server@latest',
    '/usr/bin/npx -y server@^1.2.3',
    '/usr/bin/npx -y server@1',
    '/usr/bin/npx -y server@1.2',
    '/usr/bin/npx -y server@1.2.3||*',
    '/usr/bin/npx https://example.com/server.tgz',
    '/usr/bin/npx github:a/b',
    '/usr/bin/npx ./server',
    '/usr/bin/npx -p server command@1.2.3',
    '/usr/bin/npx -p server@1.2.3 -p other command',
    '/usr/bin/npx -c server',
    '/usr/bin/npx --registry http://x server@1.2.3',
    '/usr/bin/npx {name}@1.2.3',
    '/usr/bin/npm exec server',
    '/usr/bin/npm --prefix /x exec server',
    '/usr/bin/npm x server',
    '/usr/bin/pnpm dlx server',
    '/usr/bin/yarn dlx server',
    '/usr/bin/bunx server',
    '/usr/bin/bun x server',
    '/usr/bin/uvx server',
    '/usr/bin/uvx server>=1',
    '/usr/bin/uvx --from server command==1.2.3',
    '/usr/bin/uvx --with other server==1.2.3',
    '/usr/bin/uvx git+https://example.com/server@1.2.3',
    '/usr/bin/uv tool run server',
    '/usr/bin/pipx run server',
    '/usr/bin/env npx server',
    '/usr/bin/env -S npx server',
    '/usr/bin/env A=b npx server',
    '/usr/bin/setpriv --pdeathsig KILL -- /usr/bin/npx server',
    '/usr/bin/timeout 10 uvx server',
    '/usr/bin/node /usr/lib/node_modules/npm/bin/npx-cli.js server',
  ])
    assert.match(faultOfPackage(...words(line)) ?? '', /exact version/, line)
  assert.match(faultOfPackage('/bin/sh', ['-c', 'cd /x && npx server']) ?? '', /exact version/)
})

test('the value of a parameter is never run as code', () => {
  for (const [program, ...args] of [
    ['/bin/sh', '-c', 'server {name}'],
    ['/bin/bash', '-lc', '{name}'],
    ['/usr/bin/env', 'sh', '-c', '{name}'],
    ['/usr/bin/node', '-e', 'run({name})'],
    ['/usr/bin/node', '--eval', '{name}'],
    ['/usr/bin/python3', '-c', '{name}'],
    ['/usr/bin/python3.12', '-c', '{name}'],
    ['/usr/bin/perl', '-e', '{name}'],
  ])
    assert.match(faultOfCode(program!, args) ?? '', /run as code/, args.join(' '))
  for (const [program, ...args] of [
    ['/bin/sh', '-c', 'server "$1"', 'sh', '{name}'],
    ['/usr/bin/node', 'server.js', '{name}'],
    ['/usr/local/bin/server', '-c', '{name}'],
  ])
    assert.equal(faultOfCode(program!, args), null, args.join(' '))
})
