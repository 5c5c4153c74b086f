import { ALL_DOORS } from '../../base/doors.ts'

type Door = (typeof ALL_DOORS)[number]

/** The paths of a row: `/oauth/*` is every path below `/oauth`. */
function pathsOf({ path, extent }: Door): string {
  const below = `\`${path}/*\``
  if (extent === 'below') return below
  return extent === 'subtree' ? `\`${path}\`, ${below}` : `\`${path}\``
}

function servedBy(door: Door, listener: 'gateway' | 'control'): string {
  if (
    door.handler === null ||
    door.handler === 'unknown_path' ||
    (door.listener !== 'both' && door.listener !== listener)
  )
    return 'no'
  return door.part !== null && listener === 'gateway' ? `with \`${door.part}\`` : 'yes'
}

/** The table of doors for `docs/listeners.md`, in Markdown. */
export function doorsTable(): string {
  const rows = ALL_DOORS.map(
    (door) =>
      `| ${pathsOf(door)} | ${door.summary} | ${servedBy(door, 'gateway')} | ${servedBy(door, 'control')} |\n`,
  )
  return `| path | purpose | gateway listener | control listener |\n|---|---|---|---|\n${rows.join('')}`
}
