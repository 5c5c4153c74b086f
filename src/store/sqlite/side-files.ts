/** Files that the stores make beside the files of SQLite. */

/** The copy of a configuration store that was deleted while it was open, until it takes the place of the file. */
export function rewrittenOf(file: string): string {
  return `${file}.new`
}

/** Says that the key sets in a file are outdated, where they cannot be deleted: an empty file fits on a full disk. */
export function outdatedOf(file: string): string {
  return `${file}.keys-outdated`
}
