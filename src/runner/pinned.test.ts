import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faultOfCode } from './file.ts'
import { faultOfPackage } from './pinned.ts'

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
    '/usr/bin/uv run --with server==1.2.3 server',
    '/usr/bin/uv run --with=server==1.2.3 python -m server',
    '/usr/bin/deno run -A npm:@scope/server@1.2.3 /data',
    '/usr/bin/deno run jsr:@scope/server@1.2.3',
    '/usr/bin/deno run https://deno.land/x/server@v1.2.3/mod.ts',
    '/usr/bin/deno run server.ts',
    '/usr/bin/go run example.com/server@v1.2.3 -http a@b',
    '/usr/bin/go run ./cmd/server',
    '/usr/bin/python3 -m server',
    '/usr/bin/python3 -m pipx run server==1.2.3',
    '/usr/bin/dnx Server@1.2.3 --yes',
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
    '/usr/bin/uv run --with server server',
    '/usr/bin/uv run --with=server>=1 server',
    '/usr/bin/uv run -w server -- server',
    '/usr/bin/uv run --with server==1.2.3 --with other server',
    '/usr/bin/uv run https://example.com/server.py',
    '/usr/bin/uv --directory /x run --with server server',
    '/usr/bin/uvx -w other server==1.2.3',
    '/usr/bin/deno run npm:server',
    '/usr/bin/deno run -A npm:@scope/server@latest',
    '/usr/bin/deno run npm:server@1',
    '/usr/bin/deno run jsr:@scope/server',
    '/usr/bin/deno run --preload npm:other server.ts',
    '/usr/bin/deno run https://example.com/server.ts',
    '/usr/bin/deno npm:server',
    '/usr/bin/deno x server',
    '/usr/bin/go run example.com/server@latest',
    '/usr/bin/go run example.com/server@main',
    '/usr/bin/go run -C /x example.com/server@v1',
    '/usr/bin/bunx --bun server',
    '/usr/bin/bun --bun x server',
    '/usr/bin/python3 -m pipx run server',
    '/usr/bin/python3.12 -m uv tool run server',
    '/usr/bin/corepack pnpm dlx server',
    '/usr/bin/tini -- npx server',
    '/usr/bin/npx -y pnpm@9.0.0 dlx server',
    '/usr/bin/dnx Server',
    '/usr/bin/env npx server',
    '/usr/bin/env -S npx server',
    '/usr/bin/env A=b npx server',
    '/usr/bin/setpriv --pdeathsig KILL -- /usr/bin/npx server',
    '/usr/bin/timeout 10 uvx server',
    '/usr/bin/node /usr/lib/node_modules/npm/bin/npx-cli.js server',
  ])
    assert.match(faultOfPackage(...words(line)) ?? '', /exact version/, line)
  for (const code of [
    'cd /x && npx server',
    '(npx server)',
    'true;npx server',
    'exec "npx" server',
    '`uvx server`',
  ])
    assert.match(faultOfPackage('/bin/sh', ['-c', code]) ?? '', /exact version/, code)
})

test('the value of a parameter is never split into words', () => {
  for (const [program, ...args] of [
    ['/usr/bin/env', '-S', 'node {name}'],
    ['/usr/bin/env', '-Snode {name}'],
    ['/usr/bin/env', '-iS', 'server {name}'],
    ['/usr/bin/env', '--split-string=server {name}'],
    ['/usr/bin/nice', 'env', '-S', 'server {name}'],
  ])
    assert.match(faultOfCode(program!, args) ?? '', /split into words/, args.join(' '))
  assert.equal(faultOfCode('/usr/bin/env', ['-S', 'node server.js', '{name}']), null)
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
    ['/usr/bin/perl', '-E', '{name}'],
    ['/usr/bin/perl', '-ne', 'print', '-e', '{name}'],
    ['/usr/bin/perl5.36', '-eprint {name}'],
    ['/usr/bin/node', '--eval=run({name})'],
    ['/usr/bin/node', '--print={name}'],
    ['/usr/bin/node', '-pe', '{name}'],
    ['/usr/bin/node', '--import=data:text/javascript,{name}'],
    ['/usr/bin/node', '--require', '{name}', 'server.js'],
    ['/usr/bin/node', '--no-warnings', '-e', '1', '-e', '{name}'],
    ['/usr/bin/node22', '-e', '{name}'],
    ['/usr/bin/python3', '-c{name}'],
    ['/usr/bin/ruby3.2', '-e', '{name}'],
    ['/usr/bin/php8.2', '-r', '{name}'],
    ['/usr/bin/deno', 'eval', '{name}'],
    ['/usr/bin/awk', '{name}'],
    ['/usr/bin/sed', '-n', 's/a/{name}/e'],
    ['/usr/bin/ssh', 'host', 'server', '{name}'],
    ['/usr/bin/su', '-c', 'server {name}', 'user'],
    ['/usr/bin/timeout', '10', 'sh', '-c', '{name}'],
    ['/usr/bin/node', 'wrapper.js', 'sh', '-c', '{name}'],
  ])
    assert.match(faultOfCode(program!, args) ?? '', /run as code/, args.join(' '))
  for (const [program, ...args] of [
    ['/bin/sh', '-c', 'server "$1"', 'sh', '{name}'],
    ['/usr/bin/node', 'server.js', '{name}'],
    ['/usr/bin/node', 'server.js', '--port={name}'],
    ['/usr/bin/python3', '-m', 'server', '{name}'],
    ['/usr/bin/awk', '{ print }', '{name}'],
    ['/usr/local/bin/server', '-c', '{name}'],
  ])
    assert.equal(faultOfCode(program!, args), null, args.join(' '))
})
