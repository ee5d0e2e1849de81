//! Image scans.

use serde_json::{Value, json};

use super::super::answers::{answer, seconds};
use super::super::call::{Answer, Call, Fault};
use super::super::durations;
use super::{existing, of, one_image, save};

pub fn start_scan(call: &Call<'_>) -> Answer {
    let repository = existing(call)?;
    let mut image = one_image(call, &repository)?;
    image.scanned = Some(call.after(call.usual(durations::IMAGE_SCAN)));
    save(call, &repository.name, &image)?;
    answer(of(
        call,
        json!({ "imageId": call.input.get("imageId"), "imageScanStatus": { "status": "IN_PROGRESS" } }),
    ))
}

/// A simulated image has no packages, so a scan finds nothing.
pub fn findings(call: &Call<'_>) -> Answer {
    let repository = existing(call)?;
    let image = one_image(call, &repository)?;
    let Some(scanned) = image.scanned else {
        return Err(Fault::new(
            "ScanNotFoundException",
            format!("Image scan does not exist for the image with '{}'", image.digest),
        ));
    };
    let id = json!({ "imageDigest": image.digest, "imageTag": image.tags.first() });
    if scanned > call.now {
        return answer(of(
            call,
            json!({ "imageId": id, "imageScanStatus": status(call, scanned) }),
        ));
    }
    answer(of(
        call,
        json!({
            "imageId": id,
            "imageScanStatus": status(call, scanned),
            "imageScanFindings": { "imageScanCompletedAt": seconds(scanned), "findingSeverityCounts": {}, "findings": [] },
        }),
    ))
}

/// The status of a scan that is over at that moment.
pub fn status(call: &Call<'_>, scanned: i64) -> Value {
    if scanned > call.now {
        return json!({ "status": "IN_PROGRESS" });
    }
    json!({ "status": "COMPLETE", "description": "The scan was completed successfully." })
}
