import { putOf } from '../crud.ts'
import { clientKind } from './kind.ts'

export const putClient = putOf(clientKind)
