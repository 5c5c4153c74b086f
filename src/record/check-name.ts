/** Maps earlier names of checks, which old records have, to the current names. */

/** Names of checks that were changed since records were written under them: the earlier name, and that of today. */
const RENAMED: ReadonlyMap<string, string> = new Map([['replay', 'kept answer']])

/** The name of today of a check, as a record or a caller names it. */
export function checkNameOf(name: string): string {
  return RENAMED.get(name) ?? name
}

/** Every name under which records may keep a check, that of today first. */
export function checkNamesOf(name: string): readonly string[] {
  const today = checkNameOf(name)
  const earlier = [...RENAMED].filter(([, newer]) => newer === today).map(([older]) => older)
  return [today, ...earlier]
}
