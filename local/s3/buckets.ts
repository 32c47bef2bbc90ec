import { AwsError } from "../service.ts"
import { textOfBody } from "./body.ts"
import { type Answer, bucketArn, type Call, type Service } from "./call.ts"

export const createBucket = async (service: Service, call: Call): Promise<Answer> => {
  const { bucket, caller } = call
  service.authorize(caller, "s3:CreateBucket", bucketArn(bucket))
  // Its only content is where the bucket is to be, and here all of them are in one place.
  await textOfBody(call)
  checkBucketName(bucket)
  if (!service.store.createBucket(bucket)) {
    const message = "Your previous request to create the named bucket succeeded and you already own it."
    throw new AwsError("BucketAlreadyOwnedByYou", message, 409, { BucketName: bucket })
  }
  return { status: 200, headers: { location: `/${bucket}` } }
}

export const headBucket = (service: Service, { bucket, caller }: Call): Answer => {
  service.authorize(caller, "s3:ListBucket", bucketArn(bucket))
  return { status: 200, headers: { "x-amz-bucket-region": caller.region } }
}

/** Problems: `AwsError` InvalidBucketName. */
export const checkBucketName = (name: string) => {
  if (/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !name.includes("..")) return
  throw new AwsError("InvalidBucketName", "The specified bucket is not valid.", 400, { BucketName: name })
}
