import { useState } from 'react'
import type { JsonObject, ResourceSchemas } from '../../build/document.ts'
import type { OperationRow } from '../api/use-call.ts'
import { Dialog } from '../kit/dialog.tsx'
import { isEndOf, OperationForm } from './operation-form.tsx'
import { isTold } from './told.ts'
import { decidedBy, runTitleOf, sentenceOf, wordOf } from './words.ts'

/** Members that name the same state in two ways. */
const STATES = ['status', 'active']

interface RunDialogProps {
  readonly row: OperationRow
  readonly schemas: ResourceSchemas
  readonly value: JsonObject
  readonly slug: string
  readonly onClose: () => void
  readonly onDeleted?: () => void
  /** First values of the input. */
  readonly start?: JsonObject
}

/**
 * An operation on one resource, in a dialog. It stays what its button said, also when the resource has changed meanwhile; an answer
 * with nothing to read closes it.
 */
export function RunDialog({
  row,
  schemas,
  value,
  slug,
  start,
  onClose,
  onDeleted = onClose,
}: RunDialogProps) {
  const revision =
    typeof value['revision'] === 'number' && row.options.includes('expected_revision')
      ? value['revision']
      : undefined
  const [{ title, decided, word }] = useState(() => ({
    title: runTitleOf(row, value, slug),
    decided: decidedBy(row, value),
    word: wordOf(row, value),
  }))
  return (
    <Dialog title={title} onClose={onClose} shape="wide">
      <p className="mb-4 text-muted">{sentenceOf(row.summary)}</p>
      <OperationForm
        row={row}
        schemas={schemas}
        fixed={{ id: String(value['id'] ?? slug), ...decided }}
        stored={value}
        done={`Done: ${title.charAt(0).toLowerCase()}${title.slice(1)}`}
        {...(decided !== null && { verb: word, unasked: STATES })}
        {...(start !== undefined && { start })}
        confirmWith={String(value['slug'] ?? slug)}
        expectedRevision={revision}
        onCancel={onClose}
        onDone={({ body }) => (isEndOf(row, body) ? onDeleted() : onClose())}
        showsResult={(output) => !isEndOf(row, output) && !isTold(row, output, schemas)}
      />
    </Dialog>
  )
}
