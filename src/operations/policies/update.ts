import { updateOf } from '../crud.ts'
import { policyKind } from './kind.ts'

export const updatePolicy = updateOf(policyKind)
