/** Names in a data directory that a start, a restore and the doctor know of. */

/** Folder in an empty data directory where a restore is prepared. */
export const RESTORE_PART = 'restore.part'

/** The copy that a running process makes of config.db when that was deleted. */
export const REWRITTEN = 'config.db.new'
