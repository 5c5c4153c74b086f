import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'

/** What is needed and not there, in words; measuring installs nothing. */
export function missingTools(
  names: readonly ('nginx' | 'nginx-lua' | 'haproxy' | 'wrk' | 'taskset')[],
): string[] {
  return names.flatMap((name) => {
    if (name === 'nginx-lua')
      return luaModules() === null ? ['the lua module of nginx (Debian: libnginx-mod-http-lua)'] : []
    return spawnSync(name, ['-v']).error === undefined ? [] : [name]
  })
}

/** Paths of the modules that nginx needs for lua, or null. */
export function luaModules(): readonly string[] | null {
  const directories = ['/usr/lib/nginx/modules', '/usr/lib64/nginx/modules', '/usr/share/nginx/modules']
  for (const directory of directories) {
    const modules = ['ndk_http_module.so', 'ngx_http_lua_module.so'].map((name) => `${directory}/${name}`)
    if (modules.every((path) => existsSync(path))) return modules
  }
  return null
}

export interface Machine {
  readonly node: string
  readonly nginx: string
  readonly wrk: string
  readonly kernel: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
}

export function describeMachine(): Machine {
  return {
    node: process.version,
    nginx: firstMatch('nginx', ['-v'], /nginx\/(\S+)/),
    wrk: firstMatch('wrk', ['-v'], /wrk (\S+)/),
    kernel: release().split('.').slice(0, 2).join('.'),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1024 ** 3),
  }
}

function firstMatch(command: string, args: readonly string[], pattern: RegExp): string {
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  return pattern.exec(`${stdout ?? ''}${stderr ?? ''}`)?.[1] ?? 'missing'
}
