import { diffRevisions } from './revisions-diff.ts'
import { getRevision, listRevisions } from './revisions-list.ts'
import { rollbackRevision } from './revisions-rollback.ts'

export const REVISION_OPERATIONS = [listRevisions, getRevision, diffRevisions, rollbackRevision]
