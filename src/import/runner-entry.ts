/** Shared parts of entries for the runner's file that are made from configurations of other programs. */

/** Directories in which the programs are that a package runner needs. */
export const PROGRAM_PATH = '/usr/local/bin:/usr/bin:/bin'
/** Where package runners keep what they have downloaded. */
export const PROGRAM_HOME = '/var/lib/postern-runner'
export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/
/** What the runner's file would read as a parameter. */
export const PLACEHOLDER = /\{[a-z][a-z0-9_]{0,31}\}/

/** The file that a secret of an entry is read from; an operator writes it there. */
export function secretFileOf(entry: string, variable: string): string {
  return `/etc/postern/secrets/${entry}/${variable}`
}
