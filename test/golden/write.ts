/** `npm run golden`: writes anew every file that the golden tests compare with. */
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'

const top = resolve(import.meta.dirname, '../..')
const tests = globSync(['src/**/*.test.ts', 'test/**/*.test.ts'], { cwd: top }).filter((file) =>
  /\bgolden(Part)?\(/.test(readFileSync(resolve(top, file), 'utf8')),
)
const { status } = spawnSync(
  process.execPath,
  ['--disable-warning=ExperimentalWarning', '--test', ...tests],
  {
    cwd: top,
    stdio: 'inherit',
    env: { ...process.env, UPDATE_GOLDEN: '1' },
  },
)
process.exitCode = status ?? 1
