/**
 * Sessions that were ended, known to all threads that answer. A forgotten tombstone lets an ended id be used again
 * by its own principal, which gains it nothing.
 */
export interface Tombstones {
  add(hashedId: string): void
  has(hashedId: string): boolean
}
