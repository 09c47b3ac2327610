"""HTTP: what is held about a person, given out or erased."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, status
from fastapi.responses import StreamingResponse

from dragoman.deps.http import DepsDep
from dragoman.privacy import service
from dragoman.privacy.schemas import PrivacyRequestIn, PrivacyRequestList, PrivacyRequestOut
from dragoman.tenancy.http import CallerWhoManagesPersonalData, PageDep

router = APIRouter()


@router.post("/api/privacy/requests/", status_code=status.HTTP_202_ACCEPTED, tags=["privacy"])
async def create_privacy_request(
    body: PrivacyRequestIn, caller: CallerWhoManagesPersonalData, deps: DepsDep
) -> PrivacyRequestOut:
    """Have everything about a person exported, or erased everywhere. An erasure cannot be taken back."""
    request = await service.create_request(
        deps, caller, kind=body.kind, subject_kind=body.subject_kind, subject_id=body.subject_id
    )
    return PrivacyRequestOut.of(request)


@router.get("/api/privacy/requests/", tags=["privacy"])
async def list_privacy_requests(
    caller: CallerWhoManagesPersonalData, deps: DepsDep, page: PageDep
) -> PrivacyRequestList:
    """List the requests of your tenant, newest first."""
    found = await service.list_requests(deps, caller, page)
    items = [PrivacyRequestOut.of(request) for request in found.items]
    return PrivacyRequestList(requests=items, total=found.total, limit=page.limit, offset=page.offset)


@router.get("/api/privacy/requests/{privacy_request_id}/", tags=["privacy"])
async def get_privacy_request(
    privacy_request_id: UUID, caller: CallerWhoManagesPersonalData, deps: DepsDep
) -> PrivacyRequestOut:
    """Show how far a request is."""
    return PrivacyRequestOut.of(await service.get_request(deps, caller, privacy_request_id))


@router.get(
    "/api/privacy/requests/{privacy_request_id}/archive/",
    tags=["privacy"],
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "The archive."}},
)
async def download_privacy_archive(
    privacy_request_id: UUID, caller: CallerWhoManagesPersonalData, deps: DepsDep
) -> StreamingResponse:
    """Download the archive of an export. It is kept for 7 days."""
    request, content = await service.open_archive(deps, caller, privacy_request_id)
    headers = {
        "Content-Disposition": f'attachment; filename="personal-data-{request.id}.zip"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(content, media_type="application/zip", headers=headers)


@router.delete(
    "/api/privacy/requests/{privacy_request_id}/archive/",
    status_code=status.HTTP_204_NO_CONTENT,
    tags=["privacy"],
)
async def delete_privacy_archive(privacy_request_id: UUID, caller: CallerWhoManagesPersonalData, deps: DepsDep) -> None:
    """Remove the archive of an export before it expires."""
    await service.delete_archive(deps, caller, privacy_request_id)
