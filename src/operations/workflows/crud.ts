import { refuseUsed } from '../delete-resource.ts'
import { standardOf } from '../standard.ts'
import { workflowKind } from './kind.ts'

export const WORKFLOW_OPERATIONS = standardOf(workflowKind, refuseUsed)
