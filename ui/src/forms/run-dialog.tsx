import type { JsonObject, ResourceSchemas } from '../../build/document.ts'
import type { OperationRow } from '../api/operations.ts'
import { Dialog } from '../kit/dialog.tsx'
import { OperationForm } from './operation-form.tsx'
import { runTitleOf, sentenceOf } from './words.ts'

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

/** An operation on one resource, in a dialog. */
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
  return (
    <Dialog title={runTitleOf(row, value, slug)} onClose={onClose} shape="wide">
      <p className="mb-4 text-muted">{sentenceOf(row.summary)}</p>
      <OperationForm
        row={row}
        schemas={schemas}
        fixed={{ id: String(value['id'] ?? slug) }}
        stored={value}
        {...(start !== undefined && { start })}
        confirmWith={String(value['slug'] ?? slug)}
        expectedRevision={revision}
        onCancel={onClose}
        onDone={() => (row.effect === 'delete' ? onDeleted() : onClose())}
        showsResult={() => row.effect !== 'delete'}
      />
    </Dialog>
  )
}
