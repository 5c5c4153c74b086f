import { spawn } from 'node:child_process'
import { setTimeout } from 'node:timers/promises'

/** How long a program that opens browsers may take to fail, milliseconds; one that still runs has found one. */
const OPENING_MS = 2000

/** Opens a page in the browser of this user. False where nothing can open one. */
export function openBrowser(url: string): Promise<boolean> {
  const [command, ...before] =
    process.platform === 'darwin'
      ? ['open']
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler']
        : ['xdg-open']
  return new Promise((resolve) => {
    void setTimeout(OPENING_MS, true, { ref: false }).then(resolve)
    spawn(command!, [...before, url], { detached: true, stdio: 'ignore' })
      .on('error', () => resolve(false))
      .on('exit', (code) => resolve(code === 0))
      .unref()
  })
}
