import { putOf } from '../crud.ts'
import { collectionKind } from './kind.ts'

export const putCollection = putOf(collectionKind)
