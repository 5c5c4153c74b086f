import { Readable } from 'node:stream'
import { lockFile } from '../../src/store/sqlite/directory-lock.ts'
import type { CliPorts } from '../../src/surfaces/cli/ports.ts'

/** What a command line needs around it, without anybody to ask, and what it printed. */
export function cliPorts(
  own: Partial<CliPorts> & Pick<CliPorts, 'operations'>,
): CliPorts & { readonly printed: { out: string; err: string } } {
  const printed = { out: '', err: '' }
  const nobody = () => Promise.reject(new Error('nobody is there'))
  return {
    printed,
    version: '9.9.9',
    env: {},
    out: (text) => {
      printed.out += text
    },
    err: (text) => {
      printed.err += text
    },
    readStdin: nobody,
    lines: () => Readable.from([]),
    interactive: false,
    colour: false,
    ask: nobody,
    issueOffline: nobody,
    resetOffline: nobody,
    up: nobody,
    demo: nobody,
    build: () => ({ form: 'sources', commit: null }),
    runner: nobody,
    upHelp: async () => '',
    builtPlaces: () => null,
    backUp: nobody,
    restore: nobody,
    migrate: nobody,
    migrateSchema: nobody,
    examine: nobody,
    openBrowser: async () => true,
    stopSignal: nobody,
    lock: lockFile,
    ...own,
  }
}
